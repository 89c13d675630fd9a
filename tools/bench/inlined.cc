/* inlined: C++ as it is written: new and delete behind templates that are inlined, a destructor to
 * run in every frame, strings that move.   inlined MILLISECONDS THREADS LEVELS */
#include "clocked.h"

#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

namespace {

unsigned levels = 16;

struct Record {
    std::array<char, 64> bytes;
    std::string name;
};

template <typename F> void with_record(const char *name, F &&use) {
    auto record = std::make_unique<Record>();
    record->name.assign(name);
    use(*record);
}

/* Two blocks a round: the record, and its name, which is too long for the string's own room. */
void repeat_records(struct worker *w) {
    constexpr unsigned rounds = 512;
    do {
        for (unsigned i = 0; i < rounds; i++)
            with_record("a name of forty characters, on the heap.", [](Record &record) {
                record.bytes[0] = record.name[0];
                HOLD(record);
            });
    } while (clocked_more(w, 2 * rounds));
}

template <typename F> FRAME void descend(unsigned left, F &&leaf) {
    auto held = std::pair<std::unique_ptr<Record>, unsigned>(nullptr, left);
    if (left)
        descend(left - 1, std::forward<F>(leaf));
    else
        leaf();
    HOLD(held);
}

void run_records(struct worker *w) {
    descend(levels, [w] { repeat_records(w); });
}

} // namespace

int main(int argc, char **argv) {
    auto number = [&](int i, unsigned otherwise) {
        return i < argc ? static_cast<unsigned>(std::strtoul(argv[i], nullptr, 10)) : otherwise;
    };
    levels = number(3, 16);
    return clocked_run(number(2, 1), number(1, 100), 4096, run_records);
}
