#!/usr/bin/env python3
"""Writes the EBCDIC tables from what the system's `iconv` answers (glibc has all six code pages).

One file for each page, little-endian: 256 times a u16, the character of each single byte (FFFF: none), then, for the two
Korean pages, pairs of u16 {double-byte code, character} in the order of the codes. Run it in this folder.
A unit test of the crate asks `iconv` again and compares.
"""
import struct
import subprocess

SHIFT_OUT, SHIFT_IN, NEWLINE, NONE = 0x0E, 0x0F, 0x25, 0xFFFF


def iconv(page, data):
    done = subprocess.run(["iconv", "-c", "-f", page, "-t", "UTF-16BE"], input=data, capture_output=True)
    return done.stdout.decode("utf-16-be")


def single(page, byte, double):
    if double and byte in (SHIFT_OUT, SHIFT_IN):
        return NONE
    text = iconv(page, bytes([byte]))
    return ord(text) if len(text) == 1 else NONE


def pairs(page):
    for lead in range(0x40, 0x100):
        data = b"".join(bytes([SHIFT_OUT, lead, trail, SHIFT_IN, NEWLINE]) for trail in range(0x40, 0x100))
        for trail, text in enumerate(iconv(page, data).split("\n")[:-1], 0x40):
            if len(text) == 1:
                yield lead << 8 | trail, ord(text)


for number in ["037", "500", "1047", "1140", "933", "1364"]:
    page = f"IBM{number}"
    double = number in ("933", "1364")
    with open(f"cp{number}.tab", "wb") as out:
        for byte in range(256):
            out.write(struct.pack("<H", single(page, byte, double)))
        if double:
            for code, character in pairs(page):
                out.write(struct.pack("<HH", code, character))
