/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A boot sector for HVM guests. The firmware loads it from the first sector of a disk. It prints a line on the
 * screen and on the first serial port, and then waits for ever.
 */
    .code16
    .globl _start
_start:
    xorw %ax, %ax
    movw %ax, %ds
    movw $text, %si
next:
    lodsb
    testb %al, %al
    jz stop
    movb $0x0e, %ah /* the firmware prints the character on the screen */
    movw $0x0007, %bx
    pushw %ax
    int $0x10
    popw %ax
    pushw %ax
    movw $0x3fd, %dx /* the line status of the serial port */
wait:
    inb %dx, %al
    testb $0x20, %al
    jz wait
    popw %ax
    movw $0x3f8, %dx
    outb %al, %dx
    jmp next
stop:
    hlt
    jmp stop
text:
    .asciz "sector: booted\r\n"
    .org 510
    .word 0xaa55
