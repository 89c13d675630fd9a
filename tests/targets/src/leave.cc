/* Codec calls that do not simply return: left by longjmp, by an exception, by the end of their
 * thread or of the program, suspended on a stack of their own (for ever, where that stack is
 * freed), forked in the middle, or with other codec calls inside. It is done in the codecs'
 * callbacks: zstd's and zlib's own allocators, snappy's source and sink. After that 1,000 ordinary
 * calls, which must be seen as if nothing had been before. */
#include <pthread.h>
#include <setjmp.h>
#include <snappy-sinksource.h>
#include <snappy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <string>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#define ZSTD_STATIC_LINKING_ONLY
#include <zlib.h>
#include <zstd.h>

#define ROUNDS 20
#define ORDINARY 1000
#define SIZE 200000u
#define STACK (512u << 10)

static char text[SIZE];

/* ---- ordinary calls ---- */

static size_t one(size_t n) {
    static char room[SIZE];
    size_t made = ZSTD_compress(room, sizeof room, text, n, 1);
    if (ZSTD_isError(made))
        abort();
    return made;
}
static void *ordinary(void *) {
    size_t made = 0;
    for (int i = 0; i < ORDINARY; i++)
        made += one(2000);
    printf("ordinary: %zu bytes\n", made);
    return NULL;
}
static void ordinary_on_a_thread() {
    pthread_t thread;
    pthread_create(&thread, NULL, ordinary, NULL);
    pthread_join(thread, NULL);
}
static size_t between() {
    return one(3000);
}

/* ---- a call with something done in its allocator ---- */

enum what { STAY, JUMP, THROW, END_THREAD, CANCEL, NEST, SWITCH, FORK, END };

/* The blocks are kept here, since who leaves cannot free them. */
struct plan {
    enum what what;
    int at; /* the allocation, from 1, in which it is done */
    int count;
    void *blocks[32];
};
static jmp_buf before;
static ucontext_t main_stack, own_stack;
static size_t inner_bytes;
static pid_t child = -1;

static void inner() {
    static Bytef room[SIZE];
    uLongf size = sizeof room;
    if (compress(room, &size, (Bytef *)text, 5000) != Z_OK)
        abort();
    inner_bytes += size + one(4000);
}

static void act(enum what what) {
    switch (what) {
    case STAY:
        break;
    case JUMP:
        longjmp(before, 1);
    case THROW:
        throw 1;
    case END_THREAD:
        pthread_exit(NULL);
    case CANCEL:
        pthread_cancel(pthread_self());
        pthread_testcancel();
        break;
    case NEST:
        inner();
        break;
    case SWITCH:
        swapcontext(&own_stack, &main_stack);
        break;
    case FORK:
        fflush(stdout);
        child = fork();
        break;
    case END:
        exit(0);
    }
}

static void *take(void *opaque, size_t size) {
    struct plan *plan = (struct plan *)opaque;
    void *block = malloc(size);
    plan->blocks[plan->count++] = block;
    if (plan->count == plan->at)
        act(plan->what);
    return block;
}
static void give_back(void *opaque, void *block) {
    struct plan *plan = (struct plan *)opaque;
    for (int i = 0; i < plan->count; i++)
        if (block && plan->blocks[i] == block) {
            plan->blocks[i] = NULL;
            free(block);
        }
}
static void forget(struct plan *plan) {
    for (int i = 0; i < plan->count; i++)
        free(plan->blocks[i]);
    plan->count = 0;
}
static void *take_many(void *opaque, unsigned n, unsigned size) {
    return take(opaque, (size_t)n * size);
}

/* With zstd, allocation 1 is in ZSTD_createCCtx_advanced, 2 in ZSTD_compressCCtx. */
static size_t with_zstd(struct plan *plan) {
    static char room[SIZE];
    ZSTD_customMem memory = {take, give_back, plan};
    ZSTD_CCtx *context = ZSTD_createCCtx_advanced(memory);
    size_t made = ZSTD_compressCCtx(context, room, sizeof room, text, SIZE, 1);
    ZSTD_freeCCtx(context);
    return made;
}
static size_t with_zlib(struct plan *plan) {
    static Bytef room[SIZE];
    z_stream z = {};
    z.zalloc = take_many;
    z.zfree = give_back;
    z.opaque = plan;
    if (deflateInit(&z, 1) != Z_OK)
        abort();
    z.next_in = (Bytef *)text;
    z.avail_in = SIZE;
    z.next_out = room;
    z.avail_out = sizeof room;
    deflate(&z, Z_FINISH);
    deflateEnd(&z);
    return z.total_out;
}

struct Sink : snappy::Sink {
    enum what what;
    explicit Sink(enum what w) : what(w) {}
    size_t made = 0;
    void Append(const char *, size_t n) override {
        made += n;
        if (made > 100) /* behind the header: in the middle of the work */
            act(what);
    }
};
static size_t with_snappy(enum what what) {
    Sink sink(what);
    snappy::ByteArraySource source(text, SIZE);
    snappy::Compress(&source, &sink);
    return sink.made;
}

/* ---- the ways to leave ---- */

static void by_longjmp() {
    struct plan plan = {};
    volatile int left = 0;
    plan.what = JUMP;
    for (volatile int i = 0; i < 2 * ROUNDS; i++) {
        plan.at = i / 2 % 2 + 1;
        if (setjmp(before))
            left = left + 1;
        else if (i % 2)
            with_zlib(&plan);
        else
            with_zstd(&plan);
        forget(&plan);
    }
    printf("left %d\n", left);
}

static void by_exception() {
    struct plan plan = {};
    int left = 0;
    plan.what = THROW;
    for (int i = 0; i < 3 * ROUNDS; i++) {
        plan.at = i / 3 % 2 + 1;
        try {
            if (i % 3 == 0)
                with_zstd(&plan);
            else if (i % 3 == 1)
                with_zlib(&plan);
            else
                with_snappy(THROW);
        } catch (int) {
            left++;
        }
        forget(&plan);
    }
    printf("left %d\n", left);
}

static void with_calls_inside() {
    struct plan plan = {};
    size_t made = 0;
    plan.what = NEST;
    plan.at = 2;
    for (int i = 0; i < ROUNDS; i++) {
        made += with_zstd(&plan);
        forget(&plan);
        made += with_snappy(i % 2 ? NEST : STAY);
    }
    printf("made %zu, inside %zu\n", made, inner_bytes);
}

/* ---- stacks of their own ---- */

static struct plan on_stack;
static size_t made_on_stack;
static void on_own_stack() {
    made_on_stack += with_zstd(&on_stack);
}

static void *new_stack(bool mapped) {
    return mapped ? mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                  : malloc(STACK);
}
static void free_stack(bool mapped, void *stack) {
    if (mapped)
        munmap(stack, STACK);
    else
        free(stack);
}

/* Away in the middle of a call, another one on the main stack, and back, or never. */
static void suspended(bool for_ever) {
    size_t made = 0;
    on_stack.what = SWITCH;
    on_stack.at = 2;
    for (int i = 0; i < ROUNDS; i++) {
        void *stack = new_stack(i % 2);
        getcontext(&own_stack);
        own_stack.uc_stack.ss_sp = stack;
        own_stack.uc_stack.ss_size = STACK;
        own_stack.uc_link = &main_stack;
        makecontext(&own_stack, on_own_stack, 0);
        swapcontext(&main_stack, &own_stack);
        made += between();
        if (!for_ever)
            swapcontext(&main_stack, &own_stack);
        free_stack(i % 2, stack);
        forget(&on_stack);
    }
    printf("suspended %zu, between %zu\n", made_on_stack, made);
}

/* ---- threads and processes that end ---- */

static void *leaving(void *what) {
    struct plan plan = {};
    plan.what = *(enum what *)what;
    plan.at = 2;
    with_zstd(&plan);
    return what;
}
static void by_end_of_thread(enum what what) {
    int left = 0;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        void *result;
        pthread_create(&thread, NULL, leaving, &what);
        pthread_join(thread, &result);
        left += result != &what;
    }
    printf("left %d\n", left);
    ordinary_on_a_thread(); /* on the stack of one that ended, most likely */
}

static void with_fork_inside() {
    struct plan plan = {};
    int status = 0;
    plan.what = FORK;
    plan.at = 2;
    size_t made = with_zstd(&plan);
    if (child > 0)
        waitpid(child, &status, 0);
    printf("%s made %zu, status %d\n", child ? "parent" : "child", made, status);
}

int main(int argc, char **argv) {
    std::string way = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < SIZE; i++)
        text[i] = "level=info msg=x path=/a/b"[(i * 7 + i / 97) % 26];
    if (way == "longjmp")
        by_longjmp();
    else if (way == "exception")
        by_exception();
    else if (way == "nested")
        with_calls_inside();
    else if (way == "suspended")
        suspended(false);
    else if (way == "abandoned")
        suspended(true);
    else if (way == "pthread_exit")
        by_end_of_thread(END_THREAD);
    else if (way == "pthread_cancel")
        by_end_of_thread(CANCEL);
    else if (way == "fork")
        with_fork_inside();
    ordinary(NULL);
    if (way == "exit") {
        struct plan plan = {};
        plan.what = END;
        plan.at = 2;
        with_zstd(&plan);
    }
    return 0;
}
