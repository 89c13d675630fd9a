/* squall go-profile: the memory profile that a Go program keeps of itself, read from outside.
 * Nothing is hooked or stopped: what is written is one number, the profile's rate, and that is put
 * back.
 *
 * Where the profile is, symbols tell; in a stripped program the code of two functions of the
 * runtime does, which load its address. */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "analyse/analyse.h"
#include "go.h"
#include "render/render.h"

#define BUCKETS_MAX 1000000u
#define DEPTH_MAX 1024u
#define ADDRESSES_MAX (16u << 20) /* of all stacks */
#define SYMBOLS_MAX (256ull << 20)
#define SHOWN_FRAMES 64u
#define NAME_MAX_SHOWN 1024u

static const char usage[] =
    "usage: squall go-profile [options] PID\n"
    "\n"
    "Shows what a running Go program allocates, by the memory profile that Go's runtime keeps: "
    "for\n"
    "programs that cannot be attached to. Nothing is stopped and no code is changed; the "
    "profile's\n"
    "rate is set for some seconds and put back. Figures are estimates from samples, and without\n"
    "waiting times.\n"
    "\n"
    "  --seconds N        how long to look (5)\n"
    "  --rate SIZE        mean bytes between samples (64k)\n"
    "  --top N            places to show (10)\n";

struct options {
    uint64_t seconds, rate, top;
    int pid;
};

/* ---- where the profile is ---- */

struct places {
    uint64_t buckets, rate;
};

/* Of a section of the file, which says itself how large it is; NULL = nothing to be used. */
static const Elf_Data *data_of(Elf_Scn *section, GElf_Shdr *sh) {
    const Elf_Data *data = section && gelf_getshdr(section, sh) && sh->sh_size <= SYMBOLS_MAX
                               ? elf_getdata(section, NULL)
                               : NULL;
    return data && data->d_buf ? data : NULL;
}

static bool is_named(const Elf_Data *names, uint64_t at, const char *name) {
    size_t size = strlen(name) + 1;
    return at < names->d_size && size <= names->d_size - at &&
           memcmp((const char *)names->d_buf + at, name, size) == 0;
}

/* A file has one table of symbols, or none. */
static void look_up(Elf *elf, uint64_t base, struct places *p) {
    Elf_Scn *section = NULL;
    GElf_Shdr sh, names_sh;
    GElf_Sym symbol;
    do
        section = elf_nextscn(elf, section);
    while (section && gelf_getshdr(section, &sh) && sh.sh_type != SHT_SYMTAB);
    const Elf_Data *data = data_of(section, &sh);
    const Elf_Data *names = data ? data_of(elf_getscn(elf, sh.sh_link), &names_sh) : NULL;
    for (int i = 0; names && gelf_getsym((Elf_Data *)(uintptr_t)data, i, &symbol); i++) {
        if (is_named(names, symbol.st_name, "runtime.mbuckets"))
            p->buckets = base + symbol.st_value;
        if (is_named(names, symbol.st_name, "runtime.MemProfileRate"))
            p->rate = base + symbol.st_value;
    }
}

static void by_symbols(const struct go_target *t, struct places *p) {
    char path[64];
    Elf64_Ehdr header;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)t->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    elf_version(EV_CURRENT);
    /* With 0 the number of sections stands elsewhere, and may be anything. */
    bool is_sound = fd >= 0 && pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header &&
                    header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_shnum;
    Elf *elf = is_sound ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
    if (elf)
        look_up(elf, header.e_type == ET_DYN ? t->low : 0, p);
    elf_end(elf);
    if (fd >= 0)
        close(fd);
}

static bool function_named(const struct go_target *t, const char *name, struct go_function *f) {
    for (uint64_t i = 0; i < t->image.functions; i++)
        if (go_function_at(&t->image, i, f) && strcmp(f->name, name) == 0)
            return true;
    return false;
}

/* The address that an instruction of seven bytes, relative to what follows it, has. */
static uint64_t relative(const uint8_t *code, uint64_t at) {
    int32_t distance;
    memcpy(&distance, code + 3, sizeof distance);
    return at + 7 + (uint64_t)(int64_t)distance;
}

/* mov rate(%rip),%rax, and then, nops aside, it is compared with 0 or 1. */
static uint64_t rate_in(const uint8_t *code, const struct go_function *f) {
    uint64_t size = f->end - f->start;
    for (uint64_t i = 0; i + 16 < size; i++) {
        uint64_t next = i + 7;
        if (memcmp(code + i, "\x48\x8b\x05", 3) != 0)
            continue;
        for (uint32_t n; (n = go_nop_length(code + next, size - next)) != 0; next += n)
            ;
        if (next + 4 <= size && (memcmp(code + next, "\x48\x83\xf8\x01", 4) == 0 ||
                                 memcmp(code + next, "\x48\x85\xc0", 3) == 0))
            return relative(code + i, f->start + i);
    }
    return 0;
}

/* The heads of three lists, of which the first is that of memory, loaded one after the other. */
static uint64_t buckets_in(const uint8_t *code, const struct go_function *f) {
    uint64_t last[3] = {0}, where[3] = {0};
    for (uint64_t i = 0; i + 7 < f->end - f->start; i++) {
        if ((code[i] != 0x48 && code[i] != 0x4c) || code[i + 1] != 0x8d ||
            (code[i + 2] & 0xc7) != 5)
            continue;
        last[0] = last[1], last[1] = last[2], last[2] = relative(code + i, f->start + i);
        where[0] = where[1], where[1] = where[2], where[2] = i;
        uint64_t low = last[0], high = last[0];
        for (int k = 1; k < 3; k++) {
            low = last[k] < low ? last[k] : low;
            high = last[k] > high ? last[k] : high;
        }
        if (where[0] && where[2] - where[0] < 48 && high - low < 512 && last[0] != last[1] &&
            last[1] != last[2] && last[0] != last[2] && low % 8 == 0)
            return last[0];
    }
    return 0;
}

static void by_code(const struct go_target *t, struct places *p) {
    struct go_function f;
    const uint8_t *code;
    if (!p->rate && function_named(t, "runtime.allocmcache", &f) &&
        (code = go_image_at(&t->image, f.start, f.end - f.start)) != NULL)
        p->rate = rate_in(code, &f);
    if (!p->buckets && function_named(t, "runtime.stkbucket", &f) &&
        (code = go_image_at(&t->image, f.start, f.end - f.start)) != NULL)
        p->buckets = buckets_in(code, &f);
}

static bool is_data(const struct go_target *t, uint64_t at) {
    return at >= t->low && at < t->high && at % 8 == 0;
}

/* ---- the profile ---- */

struct bucket {
    uint64_t address; /* of it: its identity */
    uint64_t allocs, frees, bytes, freed_bytes;
    uint64_t *stack;
    uint32_t depth;
};

struct snapshot {
    struct bucket *buckets;
    uint32_t count, room;
    uint32_t addresses; /* of all stacks */
};

static void free_snapshot(struct snapshot *s) {
    for (uint32_t i = 0; i < s->count; i++)
        free(s->buckets[i].stack);
    free(s->buckets);
}

/* From 1.27 on sizes are not summed: all of a bucket are alike. */
static void sum_cycles(struct bucket *b, const uint64_t *words, uint32_t width, uint64_t size) {
    for (uint32_t cycle = 0; cycle < 4; cycle++) {
        const uint64_t *w = words + (size_t)cycle * width;
        b->allocs += w[0];
        b->frees += w[1];
        b->bytes += width == 4 ? w[2] : w[0] * size;
        b->freed_bytes += width == 4 ? w[3] : w[1] * size;
    }
}

static int read_bucket(const struct go_target *t, uint64_t at, struct snapshot *s, uint64_t *next) {
    struct bucket *b = &s->buckets[s->count];
    uint64_t head[6], words[16];
    uint32_t width = t->image.minor >= 27 ? 2 : 4;
    int error = go_target_read(t, at, head, sizeof head);
    if (error)
        return error;
    *next = head[1];
    if (head[5] > DEPTH_MAX)
        return -EINVAL;
    if (s->addresses + head[5] > ADDRESSES_MAX)
        return -EFBIG;
    *b = (struct bucket){.address = at, .depth = (uint32_t)head[5]};
    b->stack = malloc(head[5] * 8 + 8);
    if (!b->stack)
        return -ENOMEM;
    error = go_target_read(t, at + sizeof head, b->stack, head[5] * 8);
    if (!error)
        error = go_target_read(t, at + sizeof head + head[5] * 8, words, 4ull * width * 8);
    if (error) {
        free(b->stack);
        return error;
    }
    sum_cycles(b, words, width, head[4]);
    s->addresses += b->depth;
    s->count++;
    return 0;
}

/* The list may be anything: it is left where it comes back to a bucket (of every number that is a
 * power of two, one is kept in mind: `seen`), and where there is too much of it. */
static int take(const struct go_target *t, uint64_t head, struct snapshot *s) {
    uint64_t at, seen = 0;
    int error = go_target_read(t, head, &at, sizeof at);
    while (!error && at) {
        if (s->count == BUCKETS_MAX || at == seen)
            return at == seen ? -ELOOP : -EFBIG;
        if ((s->count & (s->count - 1)) == 0)
            seen = at;
        if (s->count == s->room) {
            uint32_t room = s->room ? s->room * 2 : 256;
            struct bucket *buckets = reallocarray(s->buckets, room, sizeof *buckets);
            if (!buckets)
                return -ENOMEM;
            s->buckets = buckets;
            s->room = room;
        }
        error = read_bucket(t, at, s, &at);
    }
    return error;
}

static int by_address(const void *a, const void *b) {
    const struct bucket *x = a, *y = b;
    return x->address < y->address ? -1 : x->address > y->address;
}

static uint64_t less(uint64_t a, uint64_t b) {
    return a > b ? a - b : 0;
}

/* What came in between, in place of `now`. */
static void subtract(struct snapshot *now, struct snapshot *before) {
    qsort(before->buckets, before->count, sizeof *before->buckets, by_address);
    for (uint32_t i = 0; i < now->count; i++) {
        struct bucket *b = &now->buckets[i];
        const struct bucket *old =
            before->count ? bsearch(b, before->buckets, before->count, sizeof *b, by_address)
                          : NULL;
        if (!old)
            continue;
        b->allocs = less(b->allocs, old->allocs);
        b->frees = less(b->frees, old->frees);
        b->bytes = less(b->bytes, old->bytes);
        b->freed_bytes = less(b->freed_bytes, old->freed_bytes);
    }
}

/* A block of n bytes is sampled with the probability 1 - exp(-n / rate). */
static double scale_of(const struct bucket *b, uint64_t rate) {
    double size = b->allocs ? (double)b->bytes / (double)b->allocs : 0;
    double seen = 1 - exp(-size / (double)rate);
    return rate > 1 && seen > 0 ? 1 / seen : 1;
}

static int by_bytes(const void *a, const void *b) {
    const struct bucket *x = a, *y = b;
    return x->bytes > y->bytes ? -1 : x->bytes < y->bytes;
}

static int by_stack(const void *a, const void *b) {
    const struct bucket *x = a, *y = b;
    if (x->depth != y->depth)
        return x->depth < y->depth ? -1 : 1;
    return memcmp(x->stack, y->stack, x->depth * sizeof *x->stack);
}

/* Go has a bucket for each size of block; here the estimates of a place are added up. */
static void merge(struct snapshot *s, uint64_t rate) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        struct bucket *b = &s->buckets[i];
        double scale = scale_of(b, rate);
        b->bytes = (uint64_t)((double)b->bytes * scale);
        b->freed_bytes = (uint64_t)((double)b->freed_bytes * scale);
        b->allocs = (uint64_t)((double)b->allocs * scale + 0.5);
    }
    if (s->count)
        qsort(s->buckets, s->count, sizeof *s->buckets, by_stack);
    for (uint32_t i = 0; i < s->count; i++) {
        struct bucket *to = kept ? &s->buckets[kept - 1] : NULL, *b = &s->buckets[i];
        if (!to || by_stack(to, b) != 0) {
            s->buckets[kept++] = *b;
            continue;
        }
        to->bytes += b->bytes;
        to->freed_bytes += b->freed_bytes;
        to->allocs += b->allocs;
        free(b->stack);
    }
    s->count = kept;
    if (s->count)
        qsort(s->buckets, s->count, sizeof *s->buckets, by_bytes);
}

/* Names come from the program, and so does its version. */
static void print_name(const char *name) {
    char start[NAME_MAX_SHOWN], clean[NAME_MAX_SHOWN];
    snprintf(start, sizeof start, "%.*s", (int)sizeof start - 1, name ? name : "");
    fputs(render_clean(clean, sizeof clean, start, 0), stdout);
}

static void print_stack(const struct go_target *t, const struct bucket *b) {
    struct go_frame frames[SHOWN_FRAMES];
    for (uint32_t i = 0; i < b->depth && i < SHOWN_FRAMES; i++) {
        uint32_t count = go_frames(&t->image, b->stack[i] - 1, frames, SHOWN_FRAMES);
        for (uint32_t k = 0; k < count; k++) {
            printf("      ");
            print_name(frames[k].function);
            const char *slash = frames[k].file ? strrchr(frames[k].file, '/') : NULL;
            if (slash) {
                printf("  ");
                print_name(slash + 1);
                printf(":%u", frames[k].line);
            }
            puts(frames[k].inlined ? "  inlined" : "");
        }
        if (!count)
            printf("      0x%" PRIx64 "\n", b->stack[i]);
    }
}

static void print(const struct go_target *t, struct snapshot *s, const struct options *o,
                  uint64_t rate) {
    char bytes[32], freed[32], blocks[32];
    merge(s, rate);
    printf("process %d  ", (int)t->pid);
    print_name(t->image.version);
    printf(" · %" PRIu64 " s · one sample in %s\n", o->seconds,
           analyse_format_bytes(bytes, sizeof bytes, rate));
    for (uint32_t i = 0; i < s->count && i < o->top && s->buckets[i].bytes; i++) {
        const struct bucket *b = &s->buckets[i];
        printf("\n%3u ~%s in ~%s blocks · ~%s freed\n", i + 1,
               analyse_format_bytes(bytes, sizeof bytes, b->bytes),
               analyse_format_count(blocks, sizeof blocks, b->allocs),
               analyse_format_bytes(freed, sizeof freed, b->freed_bytes));
        print_stack(t, b);
    }
}

/* ---- the command ---- */

/* Whatever happens here, the rate is put back: signals that would end us end the wait, whoever sent
 * them; faults apart, which cannot wait. */
static void block_ends(sigset_t *ends, sigset_t *before) {
    static const int numbers[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,   SIGPIPE, SIGALRM,
                                  SIGUSR1, SIGUSR2, SIGXCPU, SIGVTALRM, SIGPOLL, SIGPWR};
    sigemptyset(ends);
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        sigaddset(ends, numbers[i]);
    sigprocmask(SIG_BLOCK, ends, before);
}

static int look(const struct go_target *t, const struct places *p, const struct options *o) {
    struct snapshot before = {0}, now = {0};
    sigset_t ends, old_mask;
    struct timespec wait = {(time_t)o->seconds, 0};
    uint64_t old = o->rate, rate = old;
    block_ends(&ends, &old_mask);
    int error = go_target_read(t, p->rate, &old, sizeof old);
    if (!error && (int64_t)old > 0 && old < rate)
        rate = old; /* it looks closer itself */
    /* First of all: what comes once the rate is in force is in the difference. */
    if (!error)
        error = take(t, p->buckets, &before);
    if (!error && rate != old)
        error = go_target_write(t, p->rate, &rate, sizeof rate);
    if (!error)
        sigtimedwait(&ends, NULL, &wait);
    if (!error)
        error = take(t, p->buckets, &now);
    if (rate != old)
        go_target_write(t, p->rate, &old, sizeof old);
    sigprocmask(SIG_SETMASK, &old_mask, NULL);
    if (!error) {
        subtract(&now, &before);
        print(t, &now, o, rate);
    }
    free_snapshot(&before);
    free_snapshot(&now);
    return error;
}

static int parse_number(const char *option, const char *text, bool is_size, uint64_t *value) {
    size_t n = strlen(text);
    int error = is_size ? base_parse_size(text, n, value) : base_parse_number(text, n, 10, value);
    if (error == 0 && *value > 0 && *value < 1ull << 40)
        return 0;
    message("go-profile: --%s: '%s' cannot be used", option, text);
    return COMMAND_USAGE;
}

/* Returns 0, an exit status, or -1: nothing more to do. */
static int parse(struct options *o, int argc, char **argv) {
    static const struct option options[] = {
        {"seconds", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},
        {"top", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option, status = 0;
    optind = opterr = 0;
    while (!status && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(usage, stdout);
            return -1;
        }
        status = option == 's'   ? parse_number("seconds", optarg, false, &o->seconds)
                 : option == 'r' ? parse_number("rate", optarg, true, &o->rate)
                 : option == 't' ? parse_number("top", optarg, false, &o->top)
                                 : message_option("go-profile", argv);
    }
    uint64_t pid = 0;
    if (!status &&
        (optind >= argc || base_parse_number(argv[optind], strlen(argv[optind]), 10, &pid) ||
         pid == 0 || pid > 1u << 30)) {
        message("go-profile: no process is given");
        return message_usage("go-profile");
    }
    o->pid = (int)pid;
    return status;
}

static const char *words_for(int error, bool is_open) {
    if (error == -ENOENT)
        return "no such process, or no Go program";
    if (error == -ENOTSUP)
        return "where Go keeps its profile was not found";
    return !is_open          ? go_target_words(error)
           : error == -EFBIG ? "its profile is too large to be read from outside"
           : error == -ELOOP ? "its profile goes in a circle"
                             : strerror(-error);
}

int command_go_profile(int argc, char **argv) {
    struct options o = {.seconds = 5, .rate = 64u << 10, .top = 10};
    struct go_target t;
    struct places p = {0};
    int status = parse(&o, argc, argv);
    if (status)
        return status < 0 ? COMMAND_OK : status;
    int error = go_target_open(&t, o.pid);
    bool is_open = !error;
    if (is_open) {
        by_symbols(&t, &p);
        by_code(&t, &p);
        bool is_known = t.image.minor >= 18 && t.image.minor <= 27;
        error =
            is_known && is_data(&t, p.rate) && is_data(&t, p.buckets) ? look(&t, &p, &o) : -ENOTSUP;
    }
    if (error)
        message("go-profile: process %d: %s", o.pid, words_for(error, is_open));
    go_target_close(&t);
    return error ? COMMAND_FAILED : COMMAND_OK;
}
