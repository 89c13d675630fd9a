/* The terminal: taken over, written to, and given back as it was, whatever ends us. */
#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "top.h"

static SCREEN *screen;
static bool speaks_utf8, has_color_pairs;
static volatile sig_atomic_t is_over;

/* What a crash has to write, prepared while all is well: nothing but write and tcsetattr may be
 * called then. */
static struct {
    struct termios before;
    bool has_before;
    char text[256];
    size_t length;
} rescue;

/* False where the terminal cannot do that. */
static bool prepare_one(const char *capability) {
    const char *text = tigetstr(capability);
    if (!text || text == (char *)-1 || rescue.length + strlen(text) >= sizeof rescue.text)
        return false;
    memcpy(rescue.text + rescue.length, text, strlen(text));
    rescue.length += strlen(text);
    return true;
}

static void crash(int signal_number) {
    if (rescue.length && write(STDOUT_FILENO, rescue.text, rescue.length) < 0)
        rescue.length = 0;
    if (rescue.has_before)
        tcsetattr(STDIN_FILENO, TCSANOW, &rescue.before);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void end(int signal_number) {
    (void)signal_number;
    is_over = 1;
}

static void catch_signals(void) {
    /* All that would end us: what is no crash is sent by somebody, or by a limit. */
    static const int crashes[] = {SIGSEGV, SIGBUS,    SIGABRT, SIGFPE,  SIGILL,  SIGSYS,
                                  SIGTRAP, SIGQUIT,   SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2,
                                  SIGXCPU, SIGVTALRM, SIGPOLL, SIGPWR};
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = crash, .sa_flags = (int)SA_RESETHAND};
    for (size_t i = 0; i < ARRAY_SIZE(crashes); i++)
        sigaction(crashes[i], &action, NULL);
    action = (struct sigaction){.sa_handler = end};
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        sigaction(ends[i], &action, NULL);
}

/* Of the names of processes only; numbers stay as everywhere. A terminal is hardly ever without
 * UTF-8 today, but ssh and containers often have no locale: theirs is believed only if they have
 * one. */
static void choose_locale(void) {
    setlocale(LC_CTYPE, "");
    speaks_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static void choose_colors(void) {
    const char *no = getenv("NO_COLOR");
    has_color_pairs = !(no && *no) && has_colors() && start_color() == OK;
    if (!has_color_pairs)
        return;
    use_default_colors();
    init_pair(1, COLOR_CYAN, -1);
    init_pair(2, COLOR_YELLOW, -1);
    init_pair(3, COLOR_BLACK, COLOR_CYAN);
    init_pair(4, COLOR_BLACK, COLOR_GREEN);
}

int top_screen_open(void) {
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return -ENOTTY;
    choose_locale();
    rescue.has_before = tcgetattr(STDIN_FILENO, &rescue.before) == 0;
    screen = newterm(NULL, stdout, stdin);
    if (!screen)
        return -ENODEV;
    prepare_one("sgr0");
    prepare_one("rmkx");
    if (!prepare_one("rmcup"))
        prepare_one("clear"); /* where there is no other screen to go back to */
    prepare_one("cnorm");
    catch_signals();
    cbreak();
    noecho();
    nonl();
    set_escdelay(100); /* over a slow line the parts of a key come one by one */
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    leaveok(stdscr, TRUE);
    curs_set(0);
    choose_colors();
    return 0;
}

void top_screen_close(void) {
    if (!screen)
        return;
    /* Where what we drew stays, the shell goes on in the last line. */
    move(LINES - 1, 0);
    clrtoeol();
    refresh();
    endwin();
    delscreen(screen);
    screen = NULL;
    /* Not all that a shell had set is ncurses's to know. */
    if (rescue.has_before)
        tcsetattr(STDIN_FILENO, TCSADRAIN, &rescue.before);
}

bool top_screen_is_over(void) {
    return is_over;
}

static int attributes_of(enum top_style style) {
    switch (style) {
    case TOP_BOLD:
        return A_BOLD;
    case TOP_DIM:
        return A_DIM;
    case TOP_REVERSE:
        return has_color_pairs ? COLOR_PAIR(3) : A_REVERSE;
    case TOP_TITLE:
        return has_color_pairs ? COLOR_PAIR(4) : A_REVERSE | A_BOLD;
    case TOP_MARK:
        return has_color_pairs ? COLOR_PAIR(1) | A_BOLD : A_BOLD;
    case TOP_WARN:
        return has_color_pairs ? COLOR_PAIR(2) | A_BOLD : A_BOLD;
    case TOP_PLAIN:
        break;
    }
    return A_NORMAL;
}

/* Without UTF-8 every character that is not ASCII becomes one that is. */
static char stand_in(wchar_t c) {
    switch (c) {
    case L'←':
        return '<';
    case L'→':
    case L'≥':
        return '>';
    case L'↑':
        return '^';
    case L'↓':
        return 'v';
    case L'·':
        return '-';
    case L'…':
        return '.';
    case L'µ':
        return 'u';
    case L'×':
        return 'x';
    default:
        return '?';
    }
}

/* The next character of clean UTF-8, by hand: the C library's way depends on the locale. */
static wchar_t next_character(const char **text) {
    const unsigned char *s = (const unsigned char *)*text;
    unsigned length = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    uint32_t code = length == 1 ? s[0] : s[0] & (0x7fu >> length);
    for (unsigned i = 1; i < length && s[i]; i++)
        code = code << 6 | (s[i] & 0x3f);
    *text += length;
    return (wchar_t)code;
}

static int columns_of(wchar_t c) {
    int width = speaks_utf8 ? wcwidth(c) : 1;
    return width < 0 ? 1 : width;
}

static void put_character(wchar_t c) {
    if (!speaks_utf8) {
        char plain = c < 0x80 ? (char)c : stand_in(c);
        addch((chtype)(unsigned char)plain);
        return;
    }
    wchar_t text[2] = {wcwidth(c) < 0 ? 0xfffd : c, 0};
    addwstr(text);
}

static int columns_of_text(const char *text) {
    int columns = 0;
    while (*text)
        columns += columns_of(next_character(&text));
    return columns;
}

int top_put(int line, int column, int width, enum top_style style, const char *text) {
    char clean[2048];
    const char *at = render_clean(clean, sizeof clean, text, 0);
    int used = 0, room = COLS - column;
    if (line < 0 || line >= LINES || room <= 0)
        return 0;
    if (width >= 0 && width < room)
        room = width;
    bool is_cut = columns_of_text(at) > room;
    attrset((attr_t)attributes_of(style));
    move(line, column);
    while (*at) {
        wchar_t c = next_character(&at);
        int columns = columns_of(c);
        if (used + columns > room - is_cut)
            break;
        put_character(c);
        used += columns;
    }
    if (is_cut && used < room) {
        put_character(L'…');
        used++;
    }
    attrset(A_NORMAL);
    return used;
}

void top_fill(int line, enum top_style style) {
    attrset((attr_t)attributes_of(style));
    mvhline(line, 0, ' ', COLS);
    attrset(A_NORMAL);
}

const char *top_bar(double part) {
    static const char *const bars[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const plain[] = {" ", ".", ":", "-", "=", "+", "*", "#", "@"};
    int height = part <= 0 ? 0 : part >= 1 ? 8 : (int)(part * 8 + 0.999);
    return (speaks_utf8 ? bars : plain)[height];
}
