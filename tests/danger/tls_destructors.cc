/* danger: thread exit with destructors of thread-local data that allocate (keys and thread_local) */
#include "danger.h"

#include <memory>
#include <string>
#include <vector>

static pthread_key_t keys[3];
static std::atomic<unsigned> destroyed, rounds;

/* Puts a new value three times: the C library goes round again. */
static void destroy_key(void *value) {
    unsigned left = *static_cast<unsigned *>(value);
    free(value);
    danger_churn(10, left);
    rounds++;
    if (left > 1) {
        unsigned *next = static_cast<unsigned *>(malloc(left % 2 ? 80000 : 16));
        *next = left - 1;
        pthread_setspecific(keys[left % 3], next);
    }
}

struct Local {
    std::vector<std::string> kept;
    std::unique_ptr<char[]> large{new char[150000]};
    ~Local() {
        danger_churn(10, 1);
        std::string late(100000, 'x');
        kept.push_back(late);
        destroyed += kept.size() == 3;
    }
};
static thread_local Local local, other;

static void *run(void *) {
    for (pthread_key_t &key : keys) {
        unsigned *value = static_cast<unsigned *>(malloc(16));
        *value = 3;
        pthread_setspecific(key, value);
    }
    for (Local *l : {&local, &other})
        l->kept = {"a string that is too long to be kept within", std::string(70000, 'y')};
    danger_churn(20, 2);
    return nullptr;
}

int main() {
    for (pthread_key_t &key : keys)
        CHECK(pthread_key_create(&key, destroy_key) == 0);
    for (int i = 0; i < 50; i++) {
        pthread_t threads[4];
        danger_start(threads, 4, run);
        danger_join(threads, 4);
    }
    printf("%u destroyed, %u rounds of keys\n", destroyed.load(), rounds.load());
    run(nullptr);
}
