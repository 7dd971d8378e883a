#!/usr/bin/env python3
"""Writes the sample files of two days: a master file in CP949 and a transaction file in EBCDIC (cp933) with record descriptor words.

Encodings come from the system's `iconv`, packed numbers and totals from here. Run it in this folder.
"""
import struct
import subprocess
from decimal import Decimal


def iconv(text, to):
    return subprocess.run(["iconv", "-f", "UTF-8", "-t", to], input=text.encode(), capture_output=True, check=True).stdout


def cents(text):
    return int(Decimal(text) * 100)


def zoned(amount, width):
    digits = f"{abs(amount):0{width}d}"
    last = int(digits[-1])
    return digits[:-1] + ("{ABCDEFGHI" if amount >= 0 else "}JKLMNOPQR")[last]


def master(day, accounts):
    def record(data):
        return data.ljust(60, b" ")

    out = record(b"H" + day.replace("-", "").encode() + iconv("야간 원장", "CP949"))
    for number, holder, opened, balance in accounts:
        name = iconv(holder, "CP949")
        name += b"\xa1\xa1" * ((20 - len(name)) // 2)
        out += record(b"D" + number.encode() + name + opened.encode() + zoned(cents(balance), 13).encode())
    total = sum(cents(balance) for *_, balance in accounts)
    out += record(b"T" + f"{len(accounts):07d}".encode() + zoned(total, 15).encode())
    return out


def packed(number, digits):
    nibbles = f"{abs(number):0{digits}d}" + ("c" if number >= 0 else "d")
    return bytes.fromhex(nibbles if len(nibbles) % 2 == 0 else "0" + nibbles)


def transactions(rows):
    out = b""
    for number, account, date, amount, memo, fees in rows:
        text = iconv(memo, "IBM933")
        body = struct.pack(">I", number) + iconv(account, "IBM037") + iconv(date, "IBM037") + packed(cents(amount), 11)
        body += text.ljust(16, b"\x40") + iconv(str(len(fees)), "IBM037") + b"".join(packed(fee, 5) for fee in fees)
        out += struct.pack(">HH", len(body) + 4, 0) + body
    return out


ACCOUNTS = [
    ("A00001", "김철수", "20190304", "1523400.50"),
    ("A00002", "똠방각하", "20200115", "-320.00"),
    ("A00003", "이영희", "20211231", "88000.00"),
    ("A00004", "서울상사", "19980707", "91234567.89"),
]
DAYS = {
    "2026-01-30": (ACCOUNTS[:3], [
        (1, "A00001", "20260130", "15000.00", "급여 1월", []),
        (2, "A00002", "20260130", "-320.00", "ATM 출금", [500]),
    ]),
    "2026-01-31": ([ACCOUNTS[0][:3] + ("1508400.50",), *ACCOUNTS[1:]], [
        (3, "A00001", "20260131", "-15000.00", "관리비", [500, 300]),
        (4, "A00004", "20260131", "1234567.89", "RENT 임대료", []),
        (5, "A00003", "20260131", "-12.34", "카드", [100, 200, 300]),
    ]),
}
for day, (accounts, rows) in DAYS.items():
    with open(f"master-{day}.dat", "wb") as out:
        out.write(master(day, accounts))
    with open(f"transactions-{day}.dat", "wb") as out:
        out.write(transactions(rows))
