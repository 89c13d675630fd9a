/* One library in C++ is at work while another thread closes a group of many: FILES… ROUNDS. */
#include <dlfcn.h>
#include <semaphore.h>

#include "danger.h"

static sem_t go, up, down;
static _Atomic(int) busy, end;

static void *worker(void *path) {
    for (;;) {
        CHECK(sem_wait(&go) == 0);
        if (end)
            return NULL;
        void *library = dlopen(path, RTLD_NOW);
        CHECK(library);
        void (*use)(void) = (void (*)(void))dlsym(library, "operators_use_few");
        CHECK(use);
        use();
        CHECK(sem_post(&up) == 0);
        while (busy)
            use();
        CHECK(dlclose(library) == 0);
        CHECK(sem_post(&down) == 0);
    }
}

int main(int argc, char **argv) {
    pthread_t thread;
    CHECK(argc == 4);
    CHECK(pthread_create(&thread, NULL, worker, argv[1]) == 0);
    for (int i = 0; i < atoi(argv[3]); i++) {
        void *group = dlopen(argv[2], RTLD_NOW);
        CHECK(group);
        busy = 1;
        CHECK(sem_post(&go) == 0);
        CHECK(sem_wait(&up) == 0);
        CHECK(dlclose(group) == 0);
        busy = 0;
        CHECK(sem_wait(&down) == 0);
    }
    end = 1;
    CHECK(sem_post(&go) == 0);
    danger_join(&thread, 1);
    printf("done\n");
}
