// C++ frames: exceptions that pass through sampled frames, destructors that sample while one is
// under way, templates of the library that call back.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "unwind_check.h"

namespace {

struct Sampler {
    int n;
    CHECK_NOINLINE ~Sampler() {
        if (n % 3 == 0)
            check_sample();
    }
};

CHECK_NOINLINE int thrower(int n) {
    Sampler s{n};
    alignas(64) volatile char line[64];
    line[n & 63] = 1;
    if (n == 0)
        throw std::runtime_error("bottom");
    int v = n & 1 ? thrower(n - 1) : std::function<int(int)>(thrower)(n - 1);
    return v + line[n & 63];
}

CHECK_NOINLINE int catcher(int n) {
    int v = 0;
    for (int i = 0; i < 4; i++) {
        try {
            v += thrower(n);
        } catch (const std::exception &e) {
            check_sample();
            v += static_cast<int>(std::string(e.what()).size());
        }
        check_sample();
    }
    return v;
}

struct Node {
    virtual ~Node() {
        check_sometimes(3);
    }
    std::unique_ptr<Node> next;
};

} // namespace

extern "C" int unwind_cxx(int rounds) {
    int v = 0;
    for (int i = 0; i < rounds; i++) {
        v += catcher(i % 24);
        std::vector<int> a(64);
        for (size_t k = 0; k < a.size(); k++)
            a[k] = static_cast<int>(k * 2654435761u % 97);
        std::sort(a.begin(), a.end(), [](int x, int y) {
            check_sometimes(50);
            return x < y;
        });
        std::map<std::string, std::function<int()>> m;
        for (int k = 0; k < 8; k++)
            m[std::to_string(k)] = [k] {
                check_sample();
                return k;
            };
        for (auto &p : m)
            v += p.second();
        auto head = std::make_unique<Node>();
        for (int k = 0; k < 20; k++) {
            auto node = std::make_unique<Node>();
            node->next = std::move(head);
            head = std::move(node);
        }
    }
    return v;
}
