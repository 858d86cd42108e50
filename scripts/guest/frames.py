# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds out from a 32-bit kernel's code where each instruction's caller and saved registers are, and says so in DWARF's
call frame information (DWARF 5, 6.4), which debuggers unwind stacks by.

Every path from a function's first instruction is followed, and what each instruction does to the stack noted. Code that
no path leads to (a branch that the kernel patches in later) is taken to run with the function's frame as it is set up.
"""
import bisect
import re
import struct
import subprocess

# --- DWARF ---

EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI, EIP = range(9)  # numbers of registers: System V ABI, i386
DW_CFA_ADVANCE_LOC, DW_CFA_OFFSET, DW_CFA_RESTORE = 0x40, 0x80, 0xc0
DW_CFA_ADVANCE_LOC1, DW_CFA_ADVANCE_LOC2, DW_CFA_ADVANCE_LOC4 = 0x02, 0x03, 0x04
DW_CFA_UNDEFINED, DW_CFA_DEF_CFA, DW_CFA_DEF_CFA_EXPRESSION, DW_CFA_EXPRESSION = 0x07, 0x0c, 0x0f, 0x10
DW_OP_DEREF, DW_OP_BREG0 = 0x06, 0x70
CFA = -1  # stands for a register in tables of rules: where the caller's stack pointer will be


def uleb(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out) + bytes((value,))


def sleb(value):
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out) + bytes((value & 0x7f,))


# --- what an instruction does to the stack ---

# A state is one of
#   (depth, frame, saved): the caller's ESP is ESP + depth, and EBP + frame, where not None; a register of `saved`, pairs
#                          of register and distance, lies that far below it (None: anywhere);
#   (IN_REGS, distance):   a struct pt_regs, what an interrupt has found, lies at ESP + distance (negative: as many bytes of
#                          it have been loaded again);
#   OUTERMOST:             nobody has called this.
ENTRY, OUTERMOST, IN_REGS = (4, None, ()), (None, None, ()), "regs"
# struct pt_regs (Linux, arch/x86/include/asm/ptrace.h, 32 bits)
PT_REGS = {EBX: 0x00, ECX: 0x04, EDX: 0x08, ESI: 0x0c, EDI: 0x10, EBP: 0x14, EAX: 0x18, EIP: 0x30}
PT_REGS_ESP = 0x3c
PRESERVED = {b"%ebx": EBX, b"%ebp": EBP, b"%esi": ESI, b"%edi": EDI}  # by a function, for its caller (ABI)

WIDE = {b"pusha": 32, b"popa": 32, b"pushal": 32, b"popal": 32, b"pushw": 2, b"popw": 2, b"pushfw": 2, b"popfw": 2}
OFFSET = re.compile(rb"^(-?)0x([0-9a-f]+)\((%e[sb]p)\),(%e[sb]p)$")
# GCC aligns a stack so: lea 8(%esp),%edi; and $-16,%esp; push -4(%edi) (the return address, once more); push %ebp ...
# and at the end: lea -8(%edi),%esp; pop %edi.
RETURN_ADDRESS_AGAIN = re.compile(rb"^-0x4\((%e(?!sp|bp)..)\)$")
REALIGNED = re.compile(rb"^-0x([0-9a-f]+)\((%e(?!sp|bp)..)\),%esp$")
IMMEDIATE = re.compile(rb"^\$0x([0-9a-f]+),%esp$")


def _signed(digits):
    value = int(digits, 16)
    return value - (1 << 32) if value >> 31 else value


def _moved(state, depth):
    """ESP has gone to `depth` below the caller's; None: nobody knows where. What lies below it is lost."""
    _, frame, saved = state
    if depth is not None and depth < 4:
        depth = None  # without its return address it is no function any more
    if depth is not None:
        saved = tuple(pair for pair in saved if pair[1] is None or pair[1] <= depth)
    return depth, frame, saved


def _set_esp(state, name, operands):
    depth, frame, _ = state
    if (match := OFFSET.match(operands)) and name == b"lea":
        distance = int(match[2], 16) * (-1 if match[1] else 1)
        base = depth if match[3] == b"%esp" else frame
        return _moved(state, None if base is None else base - distance)
    if operands == b"%ebp,%esp" and name == b"mov":
        return _moved(state, frame)
    if operands == b"(%ebp),%esp" and name == b"lea":
        return _moved(state, frame)
    if (match := REALIGNED.match(operands)) and name == b"lea":
        register, depth = PRESERVED.get(match[2]), int(match[1], 16)
        return depth, frame, () if register is None else ((register, depth),)
    if (match := IMMEDIATE.match(operands)) and name in (b"add", b"sub") and depth is not None:
        return _moved(state, depth + _signed(match[1]) * (1 if name == b"sub" else -1))
    return _moved(state, None)


def _set_ebp(state, name, operands):
    depth, frame, saved = state
    if operands == b"%esp,%ebp" and name == b"mov":
        return depth, depth, saved
    if (match := OFFSET.match(operands)) and name == b"lea" and match[3] == b"%esp" and depth is not None:
        return depth, depth - int(match[2], 16) * (-1 if match[1] else 1), saved
    return depth, None, saved


def _pop(state, operand, size):
    depth, frame, saved = state
    if operand == b"%ebp":
        frame = None
    if operand == b"%esp":
        return None, frame, saved
    return _moved((depth, frame, saved), None if depth is None else depth - size)


def _in_regs(state, name, operands):
    """In the code between an interrupt and what handles it: how far below the registers."""
    distance = state[1]
    if name.startswith(b"push"):
        return IN_REGS, distance + WIDE.get(name, 4)
    if name.startswith(b"pop"):
        distance -= WIDE.get(name, 4)
    elif (match := IMMEDIATE.match(operands)) and name in (b"add", b"sub"):
        distance += _signed(match[1]) * (1 if name == b"sub" else -1)
    elif operands.endswith(b",%esp"):
        return OUTERMOST
    return (IN_REGS, distance) if distance >= -PT_REGS[EIP] else OUTERMOST


def after(state, text):
    """The state behind an instruction; `text` as objdump shows it."""
    name, _, operands = text.partition(b" ")
    operands = operands.strip()
    if state == OUTERMOST:
        return state
    if state[0] == IN_REGS:
        return _in_regs(state, name, operands)
    depth, frame, saved = state
    if name.startswith(b"push"):
        if depth is not None:
            depth += WIDE.get(name, 4)
            register = PRESERVED.get(operands)
            if register is not None and register not in (pair[0] for pair in saved):
                saved = tuple(sorted((*saved, (register, depth))))
        elif match := RETURN_ADDRESS_AGAIN.match(operands):
            return 4, None, tuple((register, None) for register in (PRESERVED.get(match[1]),) if register is not None)
        return depth, frame, saved
    if name.startswith(b"pop"):
        return _pop(state, operands, WIDE.get(name, 4))
    if name == b"leave":
        return _pop(_moved(state, frame), b"%ebp", 4)
    if operands.endswith(b",%esp"):
        return _set_esp(state, name, operands)
    return _set_ebp(state, name, operands)


# --- the code ---

# What may change a state, or leads elsewhere; all else is passed over. objdump's lines, AT&T syntax.
INTERESTING = re.compile(
    rb"^ *([0-9a-f]+):\t(?:(?:repz|bnd|notrack) )?"
    rb"((?:push|pop|leave|j|call|ret|lret|iret|ljmp|sysexit|ud2|loop)[^\n]*|(?!cmp|test)[a-z]+ +[^\n]*,%e[bs]p|mov +%esp,%eax)"
    rb"(?:(?=\n *([0-9a-f]+):)|)", re.M)
TARGET = re.compile(rb"^(?:j|call|loop)\S* +0x([0-9a-f]+)$")
# Interrupts begin with what the hardware pushes; these with an error code on top of that (SDM vol. 3, 6.13).
ERROR_CODES = (b"double_fault", b"invalid_tss", b"segment_not_present", b"stack_segment", b"general_protection", b"page_fault",
               b"alignment_check", b"control_protection")
ENTRIES = (b"asm_exc_", b"asm_sysvec_", b"entry_", b"irq_entries_start", b"spurious_entries_start")
FIRST = (b"startup_32", b"startup_32_smp", b"start_cpu0", b"ret_from_fork", b"rewind_stack_and_make_dead")
NO_RETURN = (b"panic", b"do_exit", b"make_task_dead", b"__stack_chk_fail", b"fortify_panic", b"kthread_exit", b"nmi_panic")
# Kinds of instructions. MAY_END: perhaps nothing comes behind (BUG and WARN are the same); AT_REGS: what handles an
# interrupt is given the address of the registers that it has found.
STACK, BRANCH, CALL, ENDS, MAY_END, AT_REGS, NOTHING = range(7)


class Code:
    """The instructions that matter: columns of a table, sorted by address."""

    def __init__(self, starts, no_return, entry_text):
        self.at, self.end, self.text, self.kind, self.target = [], [], [], [], []
        self.starts, self.no_return, self.entry_text = starts, no_return, entry_text

    def _classify(self, text):
        """(text, kind, target)"""
        name = text.split(b" ", 1)[0]
        match = TARGET.match(text)
        target = int(match[1], 16) if match else None
        if name.startswith((b"ret", b"lret", b"iret", b"jmp", b"ljmp", b"sysexit")):
            return text, ENDS, target
        if name == b"call":
            return text, ENDS if target in self.no_return else NOTHING if target is None or target in self.starts else CALL, target
        if name[:1] == b"j" or name[:4] == b"loop":
            return text, BRANCH, target
        return text, MAY_END if name == b"ud2" else AT_REGS if text.endswith(b"%esp,%eax") else STACK, None

    def add(self, listing):
        """Pieces of a listing come in their order; the last line of one may be the first of the next."""
        rows = INTERESTING.findall(listing)
        kinds = {text: self._classify(text.rstrip()) for text in {row[1] for row in rows}}  # most come often
        if self.at and rows and self.at[-1] == int(rows[0][0], 16):
            for column in (self.at, self.end, self.text, self.kind, self.target):
                column.pop()
        first, last = self.entry_text
        for begin, text, end in rows:
            text, kind, target = kinds[text]
            if kind == NOTHING:
                continue
            at = int(begin, 16)
            if kind == AT_REGS and not first <= at < last:
                continue
            self.at.append(at)
            self.end.append(int(end, 16) if end else at)
            self.text.append(text)
            self.kind.append(kind)
            self.target.append(target)


def states(code, seeds):
    """The state before each of the instructions, or None. seeds: {address of a function: its first state}"""
    found = [None] * len(code.at)
    steps = {}  # (state, text): state behind; there are few different ones
    sure = [(bisect.bisect_left(code.at, address), state) for address, state in seeds.items()]
    unsure = []

    def go(target, state):
        if target is not None and target not in code.starts:
            sure.append((bisect.bisect_left(code.at, target), state))

    while sure or unsure:
        index, state = sure.pop() if sure else unsure.pop()
        while index < len(found) and found[index] is None:
            found[index] = state
            kind = code.kind[index]
            if kind == STACK:
                key = state, code.text[index]
                behind = steps.get(key)
                if behind is None:
                    behind = steps[key] = after(*key)
                if behind == OUTERMOST != state:
                    unsure.append((index + 1, behind))  # lost track; another path may know
                    break
                state = behind
            elif kind == AT_REGS:
                state = (IN_REGS, 0)
            else:
                go(code.target[index], ENTRY if kind == CALL else state)  # CALL: of a function that is not in the list
            if kind == ENDS or code.end[index] in code.starts:
                break
            index += 1
            if kind == MAY_END:
                unsure.append((index, state))
                break
    return found


# --- the table ---

def rules(state):
    """{register: instruction of DWARF that says where the caller's value is}"""
    if state == OUTERMOST:
        return {EIP: bytes((DW_CFA_UNDEFINED, EIP))}
    if state[0] == IN_REGS:
        def at(offset):
            return bytes((DW_OP_BREG0 + ESP,)) + sleb(state[1] + offset)
        table = {CFA: at(PT_REGS_ESP) + bytes((DW_OP_DEREF,))}
        table[CFA] = bytes((DW_CFA_DEF_CFA_EXPRESSION,)) + uleb(len(table[CFA])) + table[CFA]
        for register, offset in PT_REGS.items():
            if state[1] + offset < 0:
                continue  # back in the register
            table[register] = bytes((DW_CFA_EXPRESSION, register)) + uleb(len(at(offset))) + at(offset)
        return table
    depth, frame, saved = state
    if depth is None and frame is None:
        return rules(OUTERMOST)
    base = (EBP, frame) if frame is not None else (ESP, depth)
    table = {CFA: bytes((DW_CFA_DEF_CFA, base[0])) + uleb(base[1])} if base != (ESP, 4) and base[1] >= 0 else {}
    for register, distance in saved:
        if distance is None or distance % 4:
            table[register] = bytes((DW_CFA_UNDEFINED, register))
        else:
            table[register] = bytes((DW_CFA_OFFSET | register,)) + uleb(distance // 4)
    return table


def _advance(delta):
    if delta < 0x40:
        return bytes((DW_CFA_ADVANCE_LOC | delta,))
    if delta < 0x100:
        return struct.pack("<BB", DW_CFA_ADVANCE_LOC1, delta)
    return struct.pack("<BH", DW_CFA_ADVANCE_LOC2, delta) if delta < 0x10000 else struct.pack("<BI", DW_CFA_ADVANCE_LOC4, delta)


def _default(register):
    return bytes((DW_CFA_DEF_CFA, ESP, 4)) if register == CFA else bytes((DW_CFA_RESTORE | register,))


def describe(first, rows, known):
    """Instructions of DWARF for one function. rows: [(address, state)]; known: {state: rules}"""
    out, current, at, last = [], {}, first, None
    for address, state in rows:
        if state is last:
            continue
        last = state
        table = known.get(state)
        if table is None:
            table = known[state] = rules(state)
        change = [_default(register) for register in current if register not in table]
        change += [text for register, text in table.items() if current.get(register) != text]
        if change:
            if address > at:
                out.append(_advance(address - at))
                at = address
            out += change
            current = table
    return b"".join(out)


def _entry(body, pointer=None):
    """A CIE (pointer None) or FDE, padded to a multiple of 4 with DW_CFA_nop."""
    body = struct.pack("<I", 0xffffffff if pointer is None else pointer) + body
    body += bytes(-len(body) % 4)
    return struct.pack("<I", len(body)) + body


def _cie(augmentation):
    # Version 1; code in bytes, data in words downwards; EIP is the return address; at entry it is on top of the stack.
    body = b"\1" + augmentation + b"\0" + uleb(1) + sleb(-4) + bytes((EIP,)) + (uleb(0) if augmentation else b"")
    return _entry(body + bytes((DW_CFA_DEF_CFA, ESP, 4, DW_CFA_OFFSET | EIP, 1)))


def _seeds(functions, entry_text):
    """{address: state} of the functions' first instructions."""
    found = {}
    for at, _, name in functions:
        if name in FIRST:
            found[at] = OUTERMOST
        elif entry_text[0] <= at < entry_text[1]:
            if name.startswith(ENTRIES):  # all else there is jumped to
                found[at] = (8, None, ()) if name.removeprefix(b"asm_exc_") in ERROR_CODES else ENTRY
        elif b".cold" not in name:  # that is jumped to from the midst of a function
            found[at] = ENTRY
    return found


def _function_rows(code, found, first, last):
    """[(address, state)] of a function: a state holds from the end of the instruction before."""
    index, end = bisect.bisect_left(code.at, first), bisect.bisect_left(code.at, last)
    usual = next((s for s in found[index:end] if s and s[0] != IN_REGS and s[1] is not None), None)
    rows, begin = [], first
    for i in range(index, end):
        state = found[i] or usual
        if state:
            rows.append((begin, state))
        begin = code.end[i]
    return rows


def debug_frame(listing, functions, shift=0):
    """The contents of a section .debug_frame. listing: what disassemble() gives; functions: [(address, size, name)],
    sorted, as linked; shift: from there to where the code will run."""
    addresses = {name: at for at, _, name in functions}
    entry_text = addresses.get(b"__entry_text_start", 0), addresses.get(b"__entry_text_end", 0)
    seeds = _seeds(functions, entry_text)
    code = Code(seeds.keys(), {addresses[name] for name in NO_RETURN if name in addresses}, entry_text)
    for piece in listing:
        code.add(piece)
    found = states(code, seeds)
    plain, interrupted = _cie(b""), _cie(b"zS")
    out, known = [plain, interrupted], {}
    for at, size, _ in functions:
        if not size:
            continue
        is_entry = entry_text[0] <= at < entry_text[1]
        table = describe(at, _function_rows(code, found, at, at + size), known)
        head = struct.pack("<II", at + shift & 0xffffffff, size) + (uleb(0) if is_entry else b"")
        out.append(_entry(head + table, len(plain) if is_entry else 0))
    return b"".join(out)


def disassemble(file, chunk=8 << 20):
    """Yields what objdump makes of an ELF file's code, in pieces of whole lines. The last line of each comes again."""
    command = ["objdump", "-d", "--no-show-raw-insn", "-M", "att", file]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        kept = b""
        while piece := process.stdout.read(chunk):
            text = kept + piece
            end = text.rfind(b"\n") + 1
            last = text.rfind(b"\n", 0, end - 1) + 1
            yield text[:end]
            kept = text[last:]
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
