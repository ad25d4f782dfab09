/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A boot sector for HVM guests. It prints the letters from a to z on the first serial port, again and again,
 * one for each interrupt of the firmware's timer (18 in a second).
 */
    .code16
    .globl _start
_start:
    movb $'a', %cl
next:
    sti
    hlt
    movw $0x3fd, %dx /* the line status of the serial port */
wait:
    inb %dx, %al
    testb $0x20, %al
    jz wait
    movb %cl, %al
    movw $0x3f8, %dx
    outb %al, %dx
    incb %cl
    cmpb $'z', %cl
    jbe next
    jmp _start
    .org 510
    .word 0xaa55
