/* Frames of many shapes. Included several times, compiled with different options each time:
 * FRAMES(name) gives the functions of one set their names. No include guard on purpose. */

static int FRAMES(plain)(int n);

/* Saved registers of all kinds: values that live across calls. */
CHECK_NOINLINE static int FRAMES(busy)(int n) {
    volatile int a = n, b = n + 1, c = n + 2, d = n + 3, e = n + 4, f = n + 5;
    int p = a * b, q = c * d, r = e * f, s = a ^ f, t = b ^ e;
    int v = FRAMES(plain)(n - 1);
    return p + q * r + s - t + v + a + b + c + d + e + f;
}

CHECK_NOINLINE static int FRAMES(with_alloca)(int n) {
    char *p = (char *)__builtin_alloca((size_t)(n & 15) * 24 + 1);
    p[0] = (char)n;
    int v = FRAMES(plain)(n - 1);
    CHECK_KEEP();
    return v + p[0];
}

CHECK_NOINLINE static int FRAMES(with_array)(int n) {
    volatile char big[5000];
    big[n & 4095] = 1;
    int v = FRAMES(plain)(n - 1);
    return v + big[n & 4095];
}

/* A stack that is aligned anew: gcc's DRAP frames, together with alloca the kind with r10 saved. */
CHECK_NOINLINE static int FRAMES(aligned)(int n) {
    volatile char line[64] __attribute__((aligned(64)));
    line[n & 63] = (char)n;
    int v = FRAMES(plain)(n - 1);
    return v + line[n & 63];
}

CHECK_NOINLINE static int FRAMES(aligned_alloca)(int n) {
    volatile char line[128] __attribute__((aligned(128)));
    char *p = (char *)__builtin_alloca((size_t)(n & 7) * 40 + 1);
    line[n & 63] = (char)n;
    p[0] = 1;
    int v = FRAMES(plain)(n - 1);
    CHECK_KEEP();
    return v + line[n & 63] + p[0];
}

__attribute__((force_align_arg_pointer)) CHECK_NOINLINE static int FRAMES(realigned)(int n) {
    int v = FRAMES(plain)(n - 1);
    CHECK_KEEP();
    return v + n;
}

/* Arguments on the stack: the CFA changes between calls of one function. */
CHECK_NOINLINE static int FRAMES(many)(int a, int b, int c, int d, int e, int f, int g, int h,
                                       int i) {
    int v = FRAMES(plain)(a - 1);
    CHECK_KEEP();
    return a + b + c + d + e + f + g + h + i + v;
}

CHECK_NOINLINE static int FRAMES(pushes)(int n) {
    int v = FRAMES(many)(n, 1, 2, 3, 4, 5, 6, 7, 8);
    v += n > 3 ? 0 : FRAMES(many)(n, v, 2, 3, 4, 5, 6, 7, 8);
    return v;
}

/* A tail call: this frame is gone when its callee samples. */
CHECK_NOINLINE static int FRAMES(tail)(int n) {
    return FRAMES(plain)(n - 1);
}

/* Leaves early in front of the frame's saves (shrink wrapping), samples in different places. */
CHECK_NOINLINE static int FRAMES(early)(int n) {
    if (n & 1)
        return FRAMES(plain)(n - 1);
    check_sometimes(8);
    volatile int keep = n;
    int v = FRAMES(busy)(n - 1);
    check_sometimes(8);
    return v + keep;
}

static uint64_t FRAMES(seed) = 88172645463325252ull;

static int FRAMES(choose)(void) {
    uint64_t *s = &FRAMES(seed);
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return (int)(*s >> 33);
}

/* One step of a random recursion of depth n. */
CHECK_NOINLINE static int FRAMES(plain)(int n) {
    static int (*const next[])(int) = {FRAMES(busy),    FRAMES(with_alloca),    FRAMES(with_array),
                                       FRAMES(aligned), FRAMES(aligned_alloca), FRAMES(realigned),
                                       FRAMES(pushes),  FRAMES(tail),           FRAMES(early),
                                       FRAMES(plain)};
    if (n <= 0) {
        check_sample();
        CHECK_KEEP();
        return 1;
    }
    int v = next[(unsigned)FRAMES(choose)() % 10u](n - 1);
    check_sometimes(4);
    return v + 1;
}

CHECK_NOINLINE static void FRAMES(run)(int rounds, int depth) {
    for (int i = 0; i < rounds; i++)
        FRAMES(plain)(depth > 0 ? FRAMES(choose)() % depth : 0);
}
