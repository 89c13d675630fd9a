/* turns: allocations that take turns between three stacks, in a thread and, with other counts, in
 * a child that the same thread forks. What the thread knows of its stacks must not say in the
 * child what it meant in the parent. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void pair(size_t size) {
    char *volatile p = malloc(size);
    free(p);
}

void red(void) {
    pair(100);
    __asm__ volatile("");
}
void green(void) {
    char frame[64];
    pair(200);
    __asm__ volatile("" : : "r"(frame));
}
void blue(void) {
    char frame[160];
    pair(300);
    __asm__ volatile("" : : "r"(frame));
}

static void take_turns(int reds, int greens, int blues) {
    for (int i = 0; i < 3000; i++) {
        if (i < reds)
            red();
        if (i < greens)
            green();
        if (i < blues)
            blue();
    }
}

/* One call of take_turns for both, so that the stacks are the same to the last return address. */
int main(void) {
    static const int turns[][3] = {{1000, 2000, 3000}, {0, 0, 7}, {500, 300, 100}};
    pid_t child = -1;
    for (int i = 0; i < 3; i++) {
        if (i == 1 && (child = fork()))
            break;
        take_turns(turns[i][0], turns[i][1], turns[i][2]);
    }
    int status = 0;
    return child < 0 || (child && (waitpid(child, &status, 0) < 0 || status));
}
