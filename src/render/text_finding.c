/* Findings for people: what was found, by what evidence, what to do and what it would have spared.
 * The worst comes first. */
#include <string.h>

#include "internal.h"

#define INDENT 4u
#define LABEL 14u /* column in which sentences stand behind their label */
#define SHORT 3u  /* in a summary */

/* Evidence by name, as "LABEL VALUE": the order here is the order there. */
enum form { COUNT, BYTES, RATE, SHARE, TIMES, PLAIN_NUMBER };
static const struct {
    const char *name, *format;
    enum form form;
} forms[] = {
    {"bytes_per_second", "%s/s", RATE},
    {"bytes_per_source_byte", "%s bytes allocated for each byte compressed", PLAIN_NUMBER},
    {"source_ratio_mean", "%s times the source", TIMES},
    {"peak_bytes", "peak %s", BYTES},
    {"messages", "%s messages", COUNT},
    {"calls", "%s calls", COUNT},
    {"contexts_created", "%s contexts", COUNT},
    {"messages_per_context", "%s messages a context", PLAIN_NUMBER},
    {"contexts_open", "%s never ended", COUNT},
    {"threads", "on %s threads", COUNT},
    {"calls_at_once", "up to %s calls at once", COUNT},
    {"allocator_share", "in the allocator %s", SHARE},
    {"allocation_cost_share", "allocating costs about %s of the calls' time", SHARE},
    {"page_faults", "%s page faults", COUNT},
    {"mmapped", "%s blocks mapped", COUNT},
    {"grown", "%s grown", COUNT},
    {"waiting_share", "calls wait %s of their time", SHARE},
    {"threads_in_allocator", "up to %s threads in the allocator", COUNT},
    {"sites", "from %s places", COUNT},
};

static const struct analyse_evidence *find(const struct analyse_finding *finding,
                                           const char *name) {
    for (uint32_t i = 0; i < finding->evidence_count; i++)
        if (strcmp(finding->evidence[i].name, name) == 0)
            return &finding->evidence[i];
    return NULL;
}

static const char *value_of(char *out, size_t size, enum form form,
                            const struct analyse_evidence *evidence) {
    double number = evidence->kind == ANALYSE_NUMBER ? evidence->number : (double)evidence->integer;
    switch (form) {
    case COUNT:
        return analyse_format_count(out, size, evidence->integer);
    case BYTES:
    case RATE:
        return analyse_format_bytes(out, size, analyse_whole(number));
    case SHARE:
        snprintf(out, size, "%.1f %%", number * 100);
        return out;
    case TIMES:
    case PLAIN_NUMBER:
        break;
    }
    snprintf(out, size, "%.2f", number);
    return out;
}

/* What is none, or one where more would be worth a word, is left out. */
static bool is_dull(const struct analyse_evidence *evidence) {
    if (evidence->kind == ANALYSE_NUMBER)
        return evidence->number <= 0;
    return evidence->integer == 0 ||
           (evidence->integer == 1 && strcmp(evidence->name, "messages") != 0);
}

static void add_evidence(struct line *line, const struct analyse_finding *finding) {
    struct buffer words = {0};
    char value[32], text[96];
    for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
        const struct analyse_evidence *evidence = find(finding, forms[i].name);
        if (!evidence || evidence->kind == ANALYSE_TEXT || is_dull(evidence))
            continue;
        snprintf(text, sizeof(text), "%s", words.length ? " · " : "");
        buffer_add(&words, text, strlen(text));
        value_of(value, sizeof(value), forms[i].form, evidence);
        const char *hole = strstr(forms[i].format, "%s");
        buffer_add(&words, forms[i].format, (size_t)(hole - forms[i].format));
        buffer_add(&words, value, strlen(value));
        buffer_add(&words, hole + 2, strlen(hole + 2));
    }
    if (words.length)
        line_wrap(line, "    evidence", LABEL, buffer_text(&words));
    buffer_free(&words);
}

static void add_head(struct line *line, const struct analyse_finding *finding, uint32_t rank) {
    char site[32];
    line_add(line, DIM, "%3u ", rank);
    line_add(line, WARN, "%s", finding->rule);
    snprintf(site, sizeof(site), "  site %u", finding->site);
    if (finding->has_site)
        line_add(line, DIM, "%s", site);
    line_end(line);
}

/* What an earlier finding says word for word is not said again. */
static bool is_told(const struct analysis *a, uint32_t before, const char *text) {
    for (uint32_t i = 0; i < before; i++)
        for (uint32_t r = 0; r < a->findings[i].remedy_count; r++)
            if (strcmp(a->findings[i].remedies[r].text, text) == 0)
                return true;
    return false;
}

static void add_remedies(struct line *line, const struct analysis *a, uint32_t number) {
    const struct analyse_finding *finding = &a->findings[number];
    char label[32];
    unsigned way = 0;
    for (uint32_t i = 0; i < finding->remedy_count; i++) {
        if (is_told(a, number, finding->remedies[i].text))
            continue;
        snprintf(label, sizeof(label), "    way %u", ++way);
        line_wrap(line, label, LABEL, finding->remedies[i].text);
    }
}

static void add_finding(struct line *line, const struct analysis *a, uint32_t number) {
    const struct analyse_finding *finding = &a->findings[number];
    add_head(line, finding, number + 1);
    line_wrap(line, "", INDENT, finding->summary);
    add_evidence(line, finding);
    line_wrap(line, "    fix", LABEL, finding->fix);
    add_remedies(line, a, number);
    if (finding->caution)
        line_wrap(line, "    caution", LABEL, finding->caution);
}

void text_findings(struct line *line, const struct analysis *a) {
    if (a->finding_count == 0)
        return;
    line_end(line);
    line_add(line, TITLE, "Findings");
    line_end(line);
    for (uint32_t i = 0; i < a->finding_count; i++) {
        if (i)
            line_end(line);
        add_finding(line, a, i);
    }
}

void text_findings_short(struct line *line, const struct analysis *a) {
    char label[64];
    for (uint32_t i = 0; i < a->finding_count && i < SHORT; i++) {
        snprintf(label, sizeof(label), "  ! %s:", a->findings[i].rule);
        line_wrap(line, label, INDENT, a->findings[i].summary);
    }
    if (a->finding_count > SHORT) {
        line_add(line, DIM, "    and %u more findings", a->finding_count - SHORT);
        line_end(line);
    }
}
