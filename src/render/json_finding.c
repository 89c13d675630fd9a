/* Findings in JSON: what was found, by which evidence, and the ways out. */
#include "json.h"

static void write_evidence(struct render_json *json, const struct analyse_finding *finding) {
    json_open_map(json, "evidence");
    for (uint32_t i = 0; i < finding->evidence_count; i++) {
        const struct analyse_evidence *evidence = &finding->evidence[i];
        if (evidence->kind == ANALYSE_INTEGER)
            INTEGER(evidence->name, evidence->integer);
        else if (evidence->kind == ANALYSE_NUMBER)
            REAL(evidence->name, evidence->number);
        else
            STRING(evidence->name, evidence->text);
    }
    json_close_map(json);
}

static void write_remedy(struct render_json *json, const struct analyse_remedy *remedy) {
    json_open_map(json, NULL);
    STRING("remedy", remedy->name);
    TEXT("text", remedy->text);
    if (remedy->saves) {
        json_open_map(json, "saves");
        INTEGER("allocs", remedy->saved_allocs);
        INTEGER("bytes", remedy->saved_bytes);
        INTEGER("peak_bytes", remedy->saved_peak_bytes);
        json_close_map(json);
    } else {
        STRING("saves", NULL);
    }
    json_close_map(json);
}

void json_write_findings(struct render_json *json, const struct analysis *a) {
    json_open_array(json, "findings");
    for (uint32_t i = 0; i < a->finding_count && !json->error; i++) {
        const struct analyse_finding *finding = &a->findings[i];
        json_open_map(json, NULL);
        STRING("rule", finding->rule);
        json_integer_or_null(json, "site", finding->has_site, finding->site);
        REAL("rank", finding->rank);
        TEXT("summary", finding->summary);
        write_evidence(json, finding);
        TEXT("fix", finding->fix);
        json_open_array(json, "remedies");
        for (uint32_t r = 0; r < finding->remedy_count; r++)
            write_remedy(json, &finding->remedies[r]);
        json_close_array(json);
        TEXT("caution", finding->caution);
        json_close_map(json);
    }
    json_close_array(json);
}
