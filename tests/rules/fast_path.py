#!/usr/bin/python3
"""fast_path.py LIBRARY <LIMITS: follows every way through the hooks in the disassembly, and prints
what breaks the rule of fast-path.sh. LIMITS are lines HOOK NUMBER."""
import re
import subprocess
import sys

PREFIX = r"(?:lock|rep\w*|data16|cs|notrack|bnd) "
INSTRUCTION = re.compile(rf"^\s*([0-9a-f]+):\s+((?:{PREFIX})*)(\S+)\s*(.*)$")
TARGET = re.compile(r"^([0-9a-f]+) <([^+>]+)(?:\+0x[0-9a-f]+)?>")
STACK = re.compile(r"%[er]?[sb]p[l]?\b")
# A register by any of its names, and which a callee gives back as they were.
NAMES = {f"r{n}{w}": f"r{n}" for n in range(8, 16) for w in ("", "d", "w", "b")}
for letter in "abcd":
    NAMES.update({n: f"r{letter}x" for n in (f"r{letter}x", f"e{letter}x", f"{letter}x",
                                             f"{letter}l", f"{letter}h")})
for word in ("si", "di", "bp", "sp"):
    NAMES.update({n: f"r{word}" for n in (f"r{word}", f"e{word}", word, f"{word}l")})
KEPT = ("rbx", "rbp", "r12", "r13", "r14", "r15")
READS_ONLY = ("cmp", "test", "push", "bt", "nop", "j", "prefetch")


class Instruction:
    def __init__(self, address, prefix, name, operands):
        self.address, self.name = address, name
        self.operands = operands.split("#")[0].strip()
        self.locks = "lock" in prefix or (name.startswith("xchg") and "(" in self.operands)
        self.is_jump = name.startswith("j")
        self.is_conditional = self.is_jump and not name.startswith("jmp")
        self.is_indirect = self.operands.startswith("*")
        self.is_nothing = name.startswith(("nop", "endbr"))
        found = TARGET.match(self.operands)
        self.target = int(found[1], 16) if found else None
        self.symbol = found[2] if found else None  # that the target is in

    def written(self):
        """The register that it writes, or None."""
        last = re.search(r"(?:^|,)\s*%(\w+)$", self.operands)
        if not last or self.name.startswith(READS_ONLY):
            return None
        return NAMES.get(last[1])


def disassemble(library):
    """{address: instruction}, {address: the next one}, {function: its address}"""
    text = subprocess.run(["objdump", "-dw", "--no-show-raw-insn", library], check=True,
                          capture_output=True, text=True).stdout
    code, following, functions, last = {}, {}, {}, None
    for line in text.split("\n"):
        if label := re.match(r"^([0-9a-f]+) <(.+)>:$", line):
            functions[label[2]] = int(label[1], 16)
        elif found := INSTRUCTION.match(line):
            here = Instruction(int(found[1], 16), found[2], found[3], found[4])
            code[here.address] = here
            if last is not None:
                following[last] = here.address
            last = here.address
    return code, following, functions


class Library:
    def __init__(self, path):
        self.code, self.following, self.functions = disassemble(path)
        self.stubs = [f for f in self.functions if f.startswith("slow_") and self.is_stub(f)]

    def is_stub(self, name):
        """Hand-written: it is the one that calls the record_ function of the same name."""
        record = "record_" + name.removeprefix("slow_")
        return any(i.name.startswith("call") and i.symbol == record for i in self.code.values())

    # ---- the fast path ----

    def fast_lengths(self, hook, wrong):
        """Instructions on each way from the hook's entry to the next allocator."""
        lengths = []

        def follow(address, seen):
            while True:
                i = self.code[address]
                if address in seen:
                    return wrong.add(f"{hook} has a loop")
                seen = seen | {address}
                if i.name.startswith(("call", "push", "pop", "ret", "leave", "enter")):
                    return wrong.add(f"{hook} has a {i.name}")
                if STACK.search(i.operands):
                    return wrong.add(f"{hook} touches the stack: {i.name} {i.operands}")
                if i.locks:
                    return wrong.add(f"{hook} has a locked {i.name}")
                if i.is_jump and i.is_indirect:
                    return lengths.append(sum(not self.code[a].is_nothing for a in seen))
                if i.is_jump and i.symbol.split(".")[0] != hook:
                    if i.symbol != f"slow_{hook}":
                        wrong.add(f"{hook} jumps to {i.symbol}")
                elif i.is_jump:
                    follow(i.target, seen)
                if i.is_jump and not i.is_conditional:
                    return None
                address = self.following[address]

        follow(self.functions[hook], frozenset())
        return lengths

    def check_fast(self, hook, limit, wrong):
        if hook not in self.functions:
            return wrong.add(f"no function {hook}")
        lengths = self.fast_lengths(hook, wrong)
        if not lengths:
            wrong.add(f"{hook} has no way straight to the next allocator")
        elif max(lengths) > limit:
            wrong.add(f"{hook} takes {max(lengths)} instructions, {limit} are allowed")
        return None

    # ---- the way to the slow path ----

    def check_entries(self, hook, wrong):
        """Every jump to a stub in this function finds the caller's stack and registers. Returns
        the stubs that it jumps to."""
        reached, seen = set(), set()
        # Where; what was pushed; the kept registers that are changed; a call was passed.
        todo = [(self.functions[hook], (), frozenset(), False)]
        while todo:
            state = todo.pop()
            if state in seen:
                continue
            seen.add(state)
            address, stack, changed, called = state
            i = self.code[address]
            if i.symbol in self.stubs and i.is_jump:
                reached.add(i.symbol)
                if stack or changed:
                    wrong.add(f"{hook} jumps to {i.symbol} with a frame of its own")
                if called and not hook.startswith("look_"):
                    wrong.add(f"{hook} calls something before {i.symbol}")
            elif i.is_jump and i.target and i.symbol.split(".")[0] == hook:
                todo.append((i.target, stack, changed, called))
            if i.name.startswith("ret") or (i.is_jump and not i.is_conditional):
                continue
            stack, changed = self.step(i, stack, changed)
            todo.append((self.following[address], stack, changed,
                         called or i.name.startswith("call")))
        return reached

    @staticmethod
    def step(i, stack, changed):
        """What a straight instruction does to the stack and the kept registers."""
        register = NAMES.get(i.operands.lstrip("%"))
        if i.name.startswith("push"):
            return stack + ((register, register in changed),), changed
        if i.name.startswith("pop"):
            saved, was_changed = stack[-1] if stack else (None, True)
            is_back = saved == register and not was_changed
            return stack[:-1], changed - {register} if is_back else changed | {register}
        moved = re.match(r"^\$(-?0x[0-9a-f]+),%rsp$", i.operands)
        if moved and i.name.startswith(("sub", "add")):
            words = int(moved[1], 16) // 8 * (1 if i.name.startswith("sub") else -1)
            return (stack + (None,) * words if words > 0 else stack[:words]), changed
        written = i.written()
        if written == "rsp":
            return stack + ("moved",), changed
        return stack, changed | {written} if written in KEPT else changed

    def check_stubs(self, wrong):
        for i in self.code.values():
            if i.symbol in self.stubs and not i.is_jump:
                wrong.add(f"{i.symbol} is reached by a {i.name}")
        hooks = [s.removeprefix("slow_") for s in self.stubs]
        for stub, hook in zip(self.stubs, hooks):
            # An operator jumps, by a register and without a frame (its limit holds that), to the
            # next one or to the function that looks for it.
            looks = f"look_{hook}"
            entry = looks if looks in self.functions else hook
            if entry not in self.functions or stub not in self.check_entries(entry, wrong):
                wrong.add(f"{entry} does not jump to {stub}")


def main():
    library, wrong = Library(sys.argv[1]), set()
    limits = [line.split() for line in sys.stdin if line.strip()]
    for hook, limit in limits:
        library.check_fast(hook, int(limit), wrong)
    if not limits or not library.stubs:
        wrong.add("nothing to check: no limits, or no stubs in the library")
    library.check_stubs(wrong)
    for line in sorted(wrong):
        print(line + ";")


main()
