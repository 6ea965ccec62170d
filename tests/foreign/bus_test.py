# SPDX-License-Identifier: Apache-2.0
"""A generated design among bus models that are not ours: cocotbext-axi's master and memory on Icarus.

Run by tests/foreign/run, which names the generated folder; the host knows of the design only what sf_driver.h says.
"""
import os
import random
import re

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiRam, AxiResp

GENERATED = os.environ["SOLFEGE_GENERATED"]
SEED = int(os.environ["SOLFEGE_SEED"])
PROGRAM, SOURCE, TARGET, BYTES = 0x8F80, 0x1000, 0x2000, 1024  # the program's second descriptor begins a page

with open(os.path.join(GENERATED, "sf_driver.h")) as header:
    MACROS = {name: int(value, 16 if value.startswith("0x") else 10)
              for name, value in re.findall(r"#define SOLFEGE_(\w+) (0x[0-9a-f]+|\d+)u", header.read())}
with open(os.path.join(GENERATED, "sf_accelerator.v")) as top:
    LANES = int(re.search(r"STREAM_LANES\s*=\s*(\d+)", top.read()).group(1))


def register(name):
    return MACROS["REGISTER_" + name]


def status_fields(word):
    names = [name[7:-4] for name in MACROS if name.startswith("STATUS_") and name.endswith("_LSB")]
    return {name: word >> MACROS[f"STATUS_{name}_LSB"] & (1 << MACROS[f"STATUS_{name}_WIDTH"]) - 1 for name in names}


def descriptor(**fields):
    """The bytes of a descriptor."""
    words = [0] * (MACROS["DESCRIPTOR_BYTES"] // 4)
    for name, value in fields.items():
        name = "FIELD_" + name.upper()
        assert value < 1 << MACROS[name + "_WIDTH"], name
        words[MACROS[name + "_WORD"]] |= value << MACROS[name + "_LSB"]
    return b"".join(word.to_bytes(4, "little") for word in words)


def copy(tag, **changes):
    """A pass that copies a block of 16 x 16 elements of 32 bits."""
    fields = dict(opcode=MACROS["OPCODE_STREAM"], tag=tag, x_type=MACROS["TYPE_SIGNED32"],
                  destination=MACROS["DESTINATION_SIGNED32"], x_address=SOURCE, destination_address=TARGET, scale_x=1,
                  count0=256 // LANES, count1=1, count2=1, count3=1, count4=1, count5=1, channels=16, samples=16)
    return descriptor(**{**fields, **changes})


class Bench:
    def __init__(self, dut):
        self.dut, self.random = dut, random.Random(SEED)
        cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
        self.host = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst)
        self.ram = AxiRam(AxiBus.from_prefix(dut, "m_axi"), dut.clk, dut.rst, size=1 << 16)

    def pauses(self, chance):
        while True:
            yield self.random.random() < chance

    def hinder(self, chance):
        write, read, memory = self.host.write_if, self.host.read_if, self.ram
        for channel in (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel,
                        memory.write_if.aw_channel, memory.write_if.w_channel, memory.write_if.b_channel,
                        memory.read_if.ar_channel, memory.read_if.r_channel):
            channel.set_pause_generator(self.pauses(chance))

    async def reset(self):
        self.dut.rst.value = 1
        for _ in range(4):
            await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        await RisingEdge(self.dut.clk)

    async def read(self, name):
        return await self.host.read_dword(register(name))

    async def run(self, program, base=PROGRAM):
        """Runs it; the status afterwards, as (done, error, engine, code, tag)."""
        data = self.random.randbytes(BYTES)
        self.data = bytes(byte | 1 for byte in data)
        self.ram.write(SOURCE, self.data)
        self.ram.write(TARGET, bytes(BYTES))
        self.ram.write(PROGRAM, b"".join(program))
        await self.host.write_dword(register("DESCRIPTOR_BASE"), base)
        await self.host.write_dword(register("DESCRIPTOR_COUNT"), len(program))
        await self.host.write_dword(register("CONTROL"), MACROS["CONTROL_START"])
        for _ in range(20000):
            if self.dut.irq.value == 1:
                break
            await RisingEdge(self.dut.clk)
        status = status_fields(await self.read("STATUS"))
        assert not status["BUSY"], "still busy"
        await self.host.write_dword(register("CONTROL"), MACROS["CONTROL_CLEAR"])
        return bool(status["DONE"]), bool(status["ERROR"]), status["ENGINE"], status["CODE"], status["TAG"]

    def copied(self):
        return self.ram.read(TARGET, BYTES) == self.data


@cocotb.test()
async def registers(dut):
    bench = Bench(dut)
    await bench.reset()
    for chance in (0.0, 0.6):
        bench.hinder(chance)
        assert await bench.read("ID") == MACROS["DEVICE_ID"]
        assert await bench.read("STATUS") == 0
        base = register("DESCRIPTOR_BASE")
        await bench.host.write_dword(base, 0x11223344)
        await bench.host.write(base + 1, b"\xaa\xbb")  # two strobes
        assert await bench.read("DESCRIPTOR_BASE") == 0x11BBAA44
        for address in (register("CONTROL"), 0x020, 0x3FC, 0xFFC):
            assert (await bench.host.read(address, 4)).resp == AxiResp.SLVERR, hex(address)
        for address in (register("ID"), register("STATUS"), register("COUNTERS"), 0xFFC):
            assert (await bench.host.write(address, bytes(4))).resp == AxiResp.SLVERR, hex(address)
        assert (await bench.host.write(base, bytes(4))).resp == AxiResp.OKAY


@cocotb.test()
async def programs(dut):
    bench = Bench(dut)
    await bench.reset()
    error = {name[6:]: value for name, value in MACROS.items() if name.startswith("ERROR_")}
    engine = {name[7:]: value for name, value in MACROS.items() if name.startswith("ENGINE_")}
    for chance in (0.0, 0.3, 0.7):
        bench.hinder(chance)
        assert await bench.run([copy(7), copy(8)]) == (True, False, 0, 0, 0)
        assert bench.copied()
        for bad in (dict(x_address=SOURCE + 2), dict(count0=0), dict(opcode=9)):
            assert await bench.run([copy(1), copy(2, **bad)]) == (
                False, True, engine["FETCH"], error["ILLEGAL_DESCRIPTOR"], 2), bad
        assert await bench.run([copy(3), copy(4, wait_mask=128)]) == (
            False, True, engine["STREAM"], error["DEADLOCK"], 4)
        assert await bench.run([copy(5)], base=PROGRAM + 64) == (False, True, engine["FETCH"], error["PROGRAM"], 0)
        assert not bench.copied()
        assert await bench.run([copy(6)]) == (True, False, 0, 0, 0)
        assert bench.copied()
