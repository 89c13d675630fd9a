/* A thread calls the same address from the same place again and again, while another one replaces
 * the library there. The thread itself allocates nowhere else. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 10
#define CALLS 20
static pthread_barrier_t barrier;
static void *(*volatile function)(void);

static void *run(void *arg) {
    for (int i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&barrier);
        for (int k = 0; k < CALLS; k++)
            free(function());
        pthread_barrier_wait(&barrier);
    }
    return arg;
}

int main(int argc, char **argv) {
    pthread_t thread;
    void *before = NULL;
    (void)argc;
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&thread, NULL, run, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        void *library = dlopen(argv[1 + i % 2], RTLD_NOW);
        function = (void *(*)(void))dlsym(library, "make");
        if (before && (void *)function != before)
            abort(); /* the loader put it elsewhere */
        before = (void *)function;
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        dlclose(library);
    }
    pthread_join(thread, NULL);
    printf("%d\n", ROUNDS / 2 * CALLS);
    return 0;
}
