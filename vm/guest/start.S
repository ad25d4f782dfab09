/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The two entry points, for PV (64-bit, paging on) and PVH (32-bit, paging off), and the ELF notes by which
 * Xen finds them. Both call guest_main(), in 64-bit mode at the same virtual address.
 */
#include <xen/elfnote.h>

#define VIRT_BASE   0xffffffff80000000 /* tiny.lds has the same number */
#define PHYS(sym)   ((sym) - VIRT_BASE)
#define PAGE_SIZE   4096
#define STACK_SIZE  8192

#define MSR_XEN_HYPERCALL 0x40000000
#define MSR_EFER          0xc0000080
#define EFER_LME          (1 << 8)
#define CR0_PE_PG         0x80000001
#define CR4_PAE           (1 << 5)
#define PTE_TABLE         0x3  /* the page is present and writable */
#define PTE_LARGE         0x83 /* present and writable, for a page of 2 MiB */

.macro note type, kind, value:vararg
    .pushsection .note.xen, "a", @note
    .balign 4
    .long 2f - 1f, 4f - 3f, \type
1:  .asciz "Xen"
2:  .balign 4
3:  \kind \value
4:  .balign 4
    .popsection
.endm

    note XEN_ELFNOTE_GUEST_OS,       .asciz, "tiny"
    note XEN_ELFNOTE_XEN_VERSION,    .asciz, "xen-3.0"
    note XEN_ELFNOTE_LOADER,         .asciz, "generic"
    note XEN_ELFNOTE_VIRT_BASE,      .quad,  VIRT_BASE
    note XEN_ELFNOTE_PADDR_OFFSET,   .quad,  0
    note XEN_ELFNOTE_ENTRY,          .quad,  pv_start
    note XEN_ELFNOTE_HYPERCALL_PAGE, .quad,  hypercall_page
    note XEN_ELFNOTE_PHYS32_ENTRY,   .long,  PHYS(pvh_start)

    .text
    .code64
    .globl pv_start
pv_start:                               /* %rsi: struct start_info */
    cld
    mov  $stack_top, %rsp
    mov  %rsi, %rdi
    xor  %esi, %esi
    call guest_main
    ud2

    .code32
pvh_start:                              /* %ebx: physical address of struct hvm_start_info */
    cld
    mov  $MSR_XEN_HYPERCALL, %ecx       /* Xen writes the hypercalls into the page */
    mov  $PHYS(hypercall_page), %eax
    xor  %edx, %edx
    wrmsr

    /*
     * Maps the first 4 GiB of the memory at address 0, because Xen's special pages are near the end of them. Also maps
     * the first GiB at VIRT_BASE.
     */
    mov  $PHYS(tables) + PTE_TABLE, %eax
    movl $PHYS(level3) + PTE_TABLE, PHYS(level4)
    movl $PHYS(level3) + PTE_TABLE, PHYS(level4) + 511 * 8
    mov  %eax, PHYS(level3) + 510 * 8
    mov  $PHYS(level3), %edi
    mov  $4, %ecx
1:  mov  %eax, (%edi)
    add  $PAGE_SIZE, %eax
    add  $8, %edi
    loop 1b
    mov  $PTE_LARGE, %eax
    mov  $PHYS(tables), %edi
    mov  $4 * 512, %ecx
2:  mov  %eax, (%edi)
    add  $0x200000, %eax
    add  $8, %edi
    loop 2b

    mov  $PHYS(level4), %eax
    mov  %eax, %cr3
    mov  $CR4_PAE, %eax
    mov  %eax, %cr4
    mov  $MSR_EFER, %ecx
    rdmsr
    or   $EFER_LME, %eax
    wrmsr
    mov  $CR0_PE_PG, %eax
    mov  %eax, %cr0
    lgdt PHYS(gdt_descriptor)
    ljmp $8, $PHYS(long_mode)

    .code64
long_mode:
    mov  $16, %eax
    mov  %eax, %ss
    mov  %eax, %ds
    mov  %eax, %es
    mov  $stack_top, %rsp
    xor  %edi, %edi
    mov  %ebx, %esi
    mov  $guest_main, %rax
    call *%rax
    ud2

    .section .rodata
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff            /* 8: 64-bit code */
    .quad 0x00cf93000000ffff            /* 16: data */
gdt_descriptor:
    .word . - gdt - 1
    .long PHYS(gdt)

    .bss
    .balign PAGE_SIZE
    .globl hypercall_page
hypercall_page: .skip PAGE_SIZE
level4: .skip PAGE_SIZE
level3: .skip PAGE_SIZE
tables: .skip 4 * PAGE_SIZE
    .skip STACK_SIZE
stack_top:

    .section .note.GNU-stack, "", @progbits
