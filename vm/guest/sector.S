/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A boot sector for HVM guests. The firmware loads it from the first sector of a disk, or from a CD with the
 * sector as its boot image. It prints a line on the screen and on the first serial port. When the power button
 * is pressed, it prints a second line and powers the machine off by ACPI. The ports are those of Xen's ACPI
 * tables (Xen's public header hvm/ioreq.h, ACPI_PM1A_EVT_BLK_ADDRESS_V1).
 */
    .code16
    .globl _start
_start:
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %ss
    movw $0x7c00, %sp
    movw $booted, %si
    call print
wait_for_button:
    hlt /* the timer interrupt ends the halt */
    movw $0xb000, %dx /* the status register of ACPI's fixed events */
    inw %dx, %ax
    testb $1, %ah /* bit 8: the power button was pressed */
    jz wait_for_button
    movw $button, %si
    call print
    movw $0xb004, %dx /* the control register */
    movw $0x2000, %ax /* bit 13: sleep; the bits for the state are 0, which means S5 in Xen's tables */
    outw %ax, %dx
stop:
    hlt
    jmp stop

print:
    lodsb
    testb %al, %al
    jz done
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
    jmp print
done:
    ret
booted:
    .asciz "sector: booted\r\n"
button:
    .asciz "sector: power button\r\n"
    .org 510
    .word 0xaa55
