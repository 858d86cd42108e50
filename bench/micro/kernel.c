// SPDX-License-Identifier: GPL-2.0-or-later
/* A Multiboot kernel that times what guests' kernels do, in ticks of the time stamp counter, and writes it to the first
 * serial port. No interrupts; 32-bit paging. */
#include "../../tests/boot/serial.h"
#include "micro.h"

enum {
	PTE_P = 1,
	PTE_W = 2,
	PTE_U = 4,
	PTE_PS = 0x80,
	VECTORS = 256,
	INT32_GATE = 0x8e00,
	INT32_GATE_RING3 = 0xee00,
	MSR_APIC_BASE = 0x1b,
	APIC_ENABLE = 0x800,
	MSR_SYSENTER_CS = 0x174,
	MSR_SYSENTER_ESP = 0x175,
	MSR_SYSENTER_EIP = 0x176,
};

#define CR4_PSE 0x10u
#define CR0_PG	0x80000000u
#define CR0_WP	0x10000u

void load_tables(const void *gdt, const void *idt);
void run_in_ring3(body *b, uint32_t n);
extern const char on_int80[], on_sysenter[], on_divide[], on_page_fault[], on_unexpected[], entry_stack_end[];
extern uint32_t *pte_at, pte_first, pte_second;

static uint64_t gdt[6] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff, 0x00cff3000000ffff};
static uint64_t idt[VECTORS];
static struct {
	uint32_t link, esp0, ss0, rest[22];
	uint16_t trap, io_map;
} tss;
static uint32_t directory[1024] __attribute__((aligned(4096))), table[1024] __attribute__((aligned(4096)));
static uint8_t frames[2][4096] __attribute__((aligned(4096)));

static void wrmsr(uint32_t index, uint32_t value)
{
	__asm__ volatile("wrmsr" : : "c"(index), "a"(value), "d"(0));
}

void print(const char *text)
{
	serial_print(text);
}

static _Noreturn void end(uint8_t status)
{
	outb(DEBUG_EXIT, status);
	for (;;)
		__asm__ volatile("hlt");
}

_Noreturn void unexpected(void);
void unexpected(void)
{
	print("FAIL unexpected exception\n");
	end(1);
}

static void set_gate(unsigned vector, const char *handler, uint32_t kind)
{
	uint32_t at = (uint32_t)handler;

	idt[vector] = (uint64_t)((at & 0xffff0000) | kind) << 32 | CODE0 << 16 | (at & 0xffff);
}

static void set_up_tables(void)
{
	struct {
		uint16_t limit;
		uint32_t base;
	} __attribute__((packed)) gdtr = {sizeof(gdt) - 1, (uint32_t)gdt}, idtr = {sizeof(idt) - 1, (uint32_t)idt};
	uint64_t base = (uint32_t)&tss;

	gdt[TSS / 8] = (base & 0xff000000) << 32 | 0x0000890000000000 | (base & 0xffffff) << 16 | (sizeof(tss) - 1);
	tss.esp0 = (uint32_t)entry_stack_end;
	tss.ss0 = DATA0;
	tss.io_map = sizeof(tss);
	for (unsigned i = 0; i < VECTORS; i++)
		set_gate(i, on_unexpected, INT32_GATE);
	set_gate(0, on_divide, INT32_GATE);
	set_gate(14, on_page_fault, INT32_GATE);
	set_gate(0x80, on_int80, INT32_GATE_RING3);
	load_tables(&gdtr, &idtr);
	wrmsr(MSR_SYSENTER_CS, CODE0);
	wrmsr(MSR_SYSENTER_ESP, (uint32_t)entry_stack_end);
	wrmsr(MSR_SYSENTER_EIP, (uint32_t)on_sysenter);
}

/* Every address leads to itself, but for the 4 MiB at TEST_AT. */
static void set_up_paging(void)
{
	for (uint32_t i = 0; i < 1024; i++)
		directory[i] = i << 22 | PTE_PS | PTE_P | PTE_W | PTE_U;
	directory[TEST_AT >> 22] = (uint32_t)table | PTE_P | PTE_W | PTE_U;
	pte_at = &table[1];
	pte_first = (uint32_t)frames[0] | PTE_P | PTE_W | PTE_U;
	pte_second = (uint32_t)frames[1] | PTE_P | PTE_W | PTE_U;
	table[1] = pte_first;
	frames[0][0] = 1;
	frames[1][0] = 2;
	__asm__ volatile(
	    "mov %%cr4, %%eax; or %0, %%eax; mov %%eax, %%cr4; mov %1, %%cr3; mov %%cr0, %%eax; or %2, %%eax;"
	    "mov %%eax, %%cr0"
	    :
	    : "i"(CR4_PSE), "r"(directory), "i"(CR0_PG | CR0_WP)
	    : "eax", "memory");
}

static void run_in_ring0(body *b, uint32_t n)
{
	b(n);
}

/* That the operations do what their rows say. */
static void check(void)
{
	volatile uint8_t *page = (volatile uint8_t *)(TEST_AT + 0x1000);

	if (*page != 1)
		unexpected();
	table[1] = pte_second;
	__asm__ volatile("invlpg %0" : : "m"(*page));
	if (*page != 2)
		unexpected();
	table[1] = pte_first;
	__asm__ volatile("invlpg %0" : : "m"(*page));
}

static void print_ticks(const char *what)
{
	uint64_t now = ticks();

	print(what);
	print(" ");
	print_number(now);
	print("\n");
}

void kernel_main(void);
void kernel_main(void)
{
	set_up_tables();
	set_up_paging();
	check();
	print_ticks("BEGIN");
	measure("syscall", run_in_ring3, body_syscall, 1);
	measure("in", run_in_ring0, body_in, 1);
	measure("tpr", run_in_ring0, body_tpr, 1);
	measure("cr3", run_in_ring0, body_cr3, 1);
	measure("callret", run_in_ring3, body_callret, 8);
	measure("pgfault", run_in_ring3, body_pgfault, 1);
	measure("divzero", run_in_ring3, body_divzero, 1);
	measure("ptemod", run_in_ring0, body_ptemod, 2);
	measure("remap", run_in_ring0, body_remap, 2);
	measure_translate();
	print_ticks("END");
	end(0);
}
