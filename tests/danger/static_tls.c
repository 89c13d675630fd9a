/* danger: static thread-local storage runs out: what squall has of it is not taken from the surplus for libraries
 * library: tls.so tls_user.c -ftls-model=initial-exec
 *
 * How many fit exactly varies with how the loader rounds up what all libraries have together. */
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "danger.h"

/* The loader knows a library by its file, so each is a copy. */
static void *open_copy(int number) {
    char from[PATH_MAX], to[64];
    struct stat st;
    snprintf(from, sizeof from, "%s/tls.so", getenv("DANGER_BIN"));
    snprintf(to, sizeof to, "./tls%d.so", number);
    int in = open(from, O_RDONLY), out = open(to, O_CREAT | O_WRONLY, 0700);
    CHECK(in >= 0 && out >= 0 && fstat(in, &st) == 0);
    CHECK(sendfile(out, in, NULL, (size_t)st.st_size) == st.st_size);
    close(in);
    close(out);
    return dlopen(to, RTLD_NOW | RTLD_LOCAL);
}

static void *user(void *library) {
    int (*work)(void) = (int (*)(void))dlsym(library, "tls_work");
    CHECK(work && work() == 1 && work() == 2);
    danger_churn(20, 1);
    return NULL;
}

int main(void) {
    int count = 0;
    for (void *p; (p = open_copy(count)); count++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, user, p) == 0 && pthread_join(thread, NULL) == 0);
    }
    const char *why = dlerror();
    CHECK(strstr(why, "static TLS"));
    CHECK(count * 100 >= 1600); /* of 1664 bytes */
    printf("used up\n");
}
