/* A library that takes some of the static thread-local storage. */
static __thread int count;
static __thread volatile char room[96];

int tls_work(void) {
    room[count % 96] = 1;
    return ++count;
}
