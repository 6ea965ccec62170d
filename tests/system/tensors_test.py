# SPDX-License-Identifier: Apache-2.0
"""Networks in and out by safetensors files: train --init --export, evaluate, export.

Run by ctest as `tensors_test.py PROGRAM`.
"""
import json
import struct
import unittest

from support import SOURCE, SQUARE, TINY, SystemTest, read_tensors, write_tensors


FORMATS = {"U8": "B", "I8": "b", "I32": "i", "I64": "q", "F32": "f", "F64": "d"}


def numbers(tensor):
    return [value for value, in struct.iter_unpack("<" + FORMATS[tensor[0]], tensor[2])]


def layer_tensors(tensors, name):
    """Numbers and shapes of a layer's tensors."""
    own = {key[len(name) + 1:]: tensor for key, tensor in tensors.items() if key.startswith(name + ".")}
    return {key: numbers(tensor) for key, tensor in own.items()}, {key: tensor[1] for key, tensor in own.items()}


def products(x, size, weights, shape, strides, paddings):
    """Sums of products, [channel][y * width + x], and the size of their map. x is [channel][y][x], `size` its height and width."""
    channels, kernel_height, kernel_width = shape[1:]
    height, width = ((s + 2 * padding - k) // stride + 1 for s, k, stride, padding in zip(size, shape[2:], strides, paddings))
    taps = channels * kernel_height * kernel_width
    sums = []
    for out in range(shape[0]):
        own = weights[out * taps : (out + 1) * taps]
        for y in range(height):
            for column in range(width):
                total = 0
                top, left = strides[0] * y - paddings[0], strides[1] * column - paddings[1]
                for c in range(channels):
                    for ky in range(max(0, -top), min(kernel_height, size[0] - top)):
                        first = (c * size[0] + top + ky) * size[1] + left
                        for kx in range(max(0, -left), min(kernel_width, size[1] - left)):
                            total += own[(c * kernel_height + ky) * kernel_width + kx] * x[first + kx]
                sums.append(total)
    return sums, (height, width)


def infer(tensors, metadata, image, size):
    """One image through the integers of docs/tensors.md: codes of each layer by name, and logits."""
    def shifted(value, shift):
        return value + (1 << shift >> 1) >> shift

    def clamp(value, limit):
        return max(-limit, min(limit, value))

    x, codes, sums = image, {}, {}
    for name in metadata["layers"].split():
        layer, shapes = layer_tensors(tensors, name)
        stride, padding = ([int(number) for number in metadata[f"{name}.{key}"].split()] for key in ("stride", "padding"))
        pool = int(metadata[f"{name}.pool"])
        step, offset = layer["weight_reading"]
        shape = shapes["weight_codes"]
        if metadata[f"{name}.type"] == "fc":
            shape = [shape[0], len(x) // (size[0] * size[1]), *size]
        out, size = products(x, size, [step * c + offset for c in layer["weight_codes"]], shape, stride, padding)
        out = [clamp(shifted(o, layer["device.output_shift"][0]), layer["device.output_limit"][0]) for o in out]
        pixels = size[0] * size[1]
        if "device.thresholds" not in layer:
            return codes, [o * layer["device.output_scale"][0] + bias for o, bias in zip(out, layer["bias"])]
        if "device.sum_scale" in layer:
            other = sums.get(metadata[f"{name}.residual"], [0] * len(out))
            out = [clamp(shifted(o * layer["device.sum_scale"][i // pixels], layer["device.sum_shift"][0])
                         + layer["device.sum_offset"][i // pixels] + other[i], 32767) for i, o in enumerate(out)]
            sums[name] = out
        else:
            out = [o * layer["device.sign"][i // pixels] for i, o in enumerate(out)]
        height, width = size[0] // pool, size[1] // pool
        out = [max(out[(c * size[0] + pool * y + dy) * size[1] + pool * column + dx] for dy in range(pool) for dx in range(pool))
               for c in range(shape[0]) for y in range(height) for column in range(width)]
        size = (height, width)
        levels = shapes["device.thresholds"][1]
        codes[name] = [sum(v >= t for t in layer["device.thresholds"][i // (height * width) * levels :][:levels])
                       for i, v in enumerate(out)]
        step, offset = layer["activation_reading"]
        x = [step * c + offset for c in codes[name]]
    raise AssertionError("the last layer has thresholds")


class Tensors(SystemTest):
    def setUp(self):
        super().setUp()
        self.trained = self.folder / "trained.safetensors"

    def train(self, network, *more, steps=3, export=None):
        return self.report("train", TINY, "--network", network, "--batch", 16, "--steps", steps, "--test-images", 64,
                           "--export", export or self.trained, *more)

    def evaluate(self, network, init, *more, config=TINY):
        return self.report("evaluate", config, "--network", network, "--batch", 16, "--test-images", 64, "--init", init, *more)

    def test_exported_evaluates_alike(self):
        """Of both engines: the same accuracy, the same tensors after a round trip, and names with shapes."""
        again = self.folder / "again.safetensors"
        for network in ("tiny_cnn", "tiny_pool", "tiny_residual", "tiny_dropout"):
            for engine in ("golden", "float"):
                with self.subTest(f"{network} {engine}"):
                    trained = self.train(network, "--engine", engine, steps=8)
                    found = self.evaluate(network, self.trained, "--engine", engine)
                    self.assertEqual(found["accuracy"], trained["accuracy"])
                    self.assertEqual((found["notes"], found["mismatched_bits"]), ([], 0))
                    tensors, metadata = read_tensors(self.trained)
                    self.assertEqual(metadata["network"], network)
                    self.assertEqual(metadata["engine"], engine)
                    first, *_, last = metadata["layers"].split()
                    self.assertEqual(len(tensors[f"{first}.weight"][1]), 4 if metadata[f"{first}.type"] == "conv" else 2)
                    self.assertEqual(tensors[f"{last}.weight"][1][0], 10)
                    self.assertEqual(tensors[f"{first}.weight_codes"][:2], ("U8", tensors[f"{first}.weight"][1]))
                    self.assertEqual(f"{first}.device.thresholds" in tensors, engine == "golden")
                    # A checkpoint of the same training has the same, and so has a run that goes on without a step.
                    checkpoint = self.folder / "run.ckpt"
                    self.train(network, "--engine", engine, "--checkpoint", checkpoint, steps=8)
                    self.assertEqual(self.report("export", checkpoint, "-o", again)["steps"], 8)
                    self.assertEqual(read_tensors(again), read_tensors(self.trained))
        # Known bad: other weights
        self.train(network, "--engine", engine, steps=7)
        self.assertNotEqual(read_tensors(again)[0], read_tensors(self.trained)[0])

    def test_training_goes_on(self):
        """From what was trained; and its master weights serve machines of other shapes and bitwidths."""
        for engine, other in (("golden", "float"), ("float", "golden")):
            self.train("tiny_mlp", "--engine", engine, steps=100)
            fresh = self.train("tiny_mlp", "--engine", other, export=self.folder / "fresh.safetensors")
            more = self.train("tiny_mlp", "--engine", other, "--init", self.trained, export=self.folder / "more.safetensors")
            self.assertLess(max(more["loss"]), min(fresh["loss"]))
            report = self.evaluate("tiny_mlp", self.trained, config=SQUARE)
            self.assertGreater(report["accuracy"], 0.3)

    def test_lockstep(self):
        """The RTL evaluates and exports what the golden model does, bit by bit."""
        outputs, locked = self.folder / "o.safetensors", self.folder / "l.safetensors"
        self.train("tiny_pool")
        other = self.folder / "other.safetensors"
        report = self.train("tiny_pool", "--engine", "lockstep", steps=2, export=other)
        self.assertEqual(report["mismatched_bits"], 0)
        self.train("tiny_pool", steps=2, export=self.trained)
        self.assertEqual(read_tensors(other)[0], read_tensors(self.trained)[0])
        self.evaluate("tiny_pool", self.trained, "--outputs", outputs)
        report = self.evaluate("tiny_pool", self.trained, "--outputs", locked, "--engine", "lockstep")
        self.assertEqual(report["mismatched_bits"], 0)
        self.assertGreater(report["compared_bits"], 100_000)
        self.assertEqual(report["cycles"]["total"], report["cycles"]["predicted_total"])
        tensors = read_tensors(outputs)[0]
        self.assertEqual(tensors, read_tensors(locked)[0])
        shapes = {name: (tensor[0], tensor[1]) for name, tensor in tensors.items()}
        self.assertEqual(shapes, {"images": ("U8", [64, 1, 28, 28]), "labels": ("I64", [64]), "logits": ("F64", [64, 10]),
                                  "conv0.activation_codes": ("U8", [64, 8, 7, 7]), "conv1.activation_codes": ("U8", [64, 16, 5, 5])})
        self.assertLessEqual(set(tensors["conv1.activation_codes"][2]), set(range(4)))
        # A broken array is caught here too.
        self.report("evaluate", TINY, "--network", "tiny_pool", "--batch", 16, "--init", self.trained, "--engine", "lockstep",
                    "--outputs", self.folder / "none.safetensors", "--define", "SF_BREAK_PE_TERM", code=1)
        self.assertFalse((self.folder / "none.safetensors").exists())

    def test_integers_say_what_the_device_does(self):
        """Of every scheme: codes and logits follow from the file alone."""
        outputs = self.folder / "o.safetensors"
        self.solfege("schemes", "--json", self.folder / "schemes.json")
        names = [s["name"] for s in json.loads((self.folder / "schemes.json").read_text())["schemes"] if s["trains"]]
        for shipped in ("tiny_pool", "tiny_residual"):
            for scheme in names:
                with self.subTest(f"{shipped} {scheme}"):
                    network = self.folder / f"{shipped}.toml"
                    text = (SOURCE / f"configs/networks/{shipped}.toml").read_text()
                    # Gradients of wage are rounded as they are: it refuses batch norm.
                    network.write_text(text.replace("batch_norm = true\n", "") if scheme == "wage" else text)
                    self.train(network, "--scheme", scheme, steps=6)
                    self.report("evaluate", TINY, "--network", network, "--batch", 16, "--test-images", 2, "--scheme", scheme,
                                "--init", self.trained, "--outputs", outputs)
                    tensors, metadata = read_tensors(self.trained)
                    expected = {name: (tensor[1], numbers(tensor)) for name, tensor in read_tensors(outputs)[0].items()}
                    shape, images = expected["images"]
                    size = shape[1] * shape[2] * shape[3]
                    logits, seen = [], set()
                    for i in range(2):
                        codes, own = infer(tensors, metadata, images[i * size : (i + 1) * size], shape[2:])
                        logits += own
                        for name, found in codes.items():
                            wanted = expected[f"{name}.activation_codes"][1][i * len(found) : (i + 1) * len(found)]
                            self.assertEqual(found, wanted, name)
                            seen.update(found)
                    self.assertGreater(len(seen), 1)
                    for mine, theirs in zip(logits, expected["logits"][1]):
                        self.assertAlmostEqual(mine, theirs, delta=1e-9)
        # Known bad: a weight's code that is another one
        kind, shape, data = tensors["conv1.weight_codes"]
        tensors["conv1.weight_codes"] = (kind, shape, bytes(c ^ 1 for c in data))
        codes, _ = infer(tensors, metadata, images[:size], (28, 28))
        self.assertNotEqual(codes["conv1"], expected["conv1.activation_codes"][1][: len(codes["conv1"])])

    def plain(self):
        """A file as PyTorch writes one: parameters alone, in 32 bits, with a bias before batch norm."""
        self.train("tiny_pool")
        tensors, _ = read_tensors(self.trained)
        plain = {}
        for name, tensor in tensors.items():
            if name.endswith(("weight", "bias", "running_mean", "running_var")):
                values = numbers(tensor)
                plain[name] = ("F32", tensor[1], struct.pack(f"<{len(values)}f", *values))
        plain["conv0.batch_norm.num_batches_tracked"] = ("I64", [], struct.pack("<q", 3))
        return plain

    def test_plain_file(self):
        path, outputs, shifted = (self.folder / f"{name}.safetensors" for name in ("plain", "o", "s"))
        plain = self.plain()
        write_tensors(path, plain)
        accuracy = self.evaluate("tiny_pool", path, "--outputs", outputs)["accuracy"]
        self.assertEqual(accuracy, self.evaluate("tiny_pool", self.trained)["accuracy"])
        # A bias that batch norm takes off again changes nothing.
        mean = struct.unpack("<8f", plain["conv0.batch_norm.running_mean"][2])
        moved = dict(plain)
        moved["conv0.batch_norm.running_mean"] = ("F32", [8], struct.pack("<8f", *(m + 0.5 for m in mean)))
        moved["conv0.bias"] = ("F32", [8], struct.pack("<8f", *[0.5] * 8))
        write_tensors(path, moved)
        report = self.evaluate("tiny_pool", path, "--outputs", shifted)
        self.assertIn("conv0.bias", report["notes"][0])
        self.assertEqual(read_tensors(shifted)[0]["conv0.activation_codes"], read_tensors(outputs)[0]["conv0.activation_codes"])
        # Weights beyond fixed point, or a scheme's range, are clipped, and it is said.
        large = dict(plain)
        large["fc2.weight"] = ("F32", plain["fc2.weight"][1], struct.pack("<f", 1000.0) + plain["fc2.weight"][2][4:])
        write_tensors(path, large)
        note = self.evaluate("tiny_pool", path)["notes"][0]
        self.assertIn("1 of 4000 numbers of fc2.weight", note)
        notes = self.evaluate("tiny_pool", path, "--scheme", "binary_connect")["notes"]
        self.assertRegex(notes[-1], r"1 of 4000 .* beyond \+-1, ")

    def test_refused(self):
        path = self.folder / "bad.safetensors"
        plain = self.plain()
        evaluate = ["evaluate", TINY, "--network", "tiny_pool", "--batch", 16, "--init", path]
        nan = struct.pack("<f", float("nan"))

        def changed(name, tensor):
            return {**plain, name: tensor}

        weight = plain["conv0.weight"]
        cases = [
            ({k: v for k, v in plain.items() if k != "conv1.batch_norm.bias"}, ["missing: conv1.batch_norm.bias"]),
            (changed("bn1.weight", plain["conv1.batch_norm.bias"]), ["unexpected: bn1.weight", "conv0, conv1, fc2"]),
            (changed("conv0.weight", ("F32", [8, 9], weight[2])), ["another shape", "F32 [8, 9]", "[8, 1, 3, 3]"]),
            (changed("conv0.weight", ("I32", weight[1], weight[2])), ["I32", "floating-point"]),
            (changed("conv0.weight", ("F32", weight[1], nan + weight[2][4:])), ["conv0.weight has the number nan"]),
            (changed("conv0.batch_norm.running_var", ("F32", [8], struct.pack("<8f", *[-1] * 8))), ["running_var", "-1", "from 0"]),
        ]
        for tensors, message in cases:
            with self.subTest(message[0]):
                write_tensors(path, tensors)
                self.refused(*evaluate, message=["bad.safetensors", *message])
                self.refused("train", TINY, "--network", "tiny_pool", "--batch", 16, "--steps", 1, "--init", path,
                             "--export", self.trained, message=message)
        write_tensors(path, plain)
        self.refused("evaluate", TINY, "--network", "tiny_mlp", "--batch", 16, "--init", path, message=["tiny_mlp", "missing: fc0.weight", "more"])
        path.write_bytes(path.read_bytes()[:-1])
        self.refused(*evaluate, message=["bad.safetensors", "bytes"])
        path.write_text("[[layer]]")
        self.refused(*evaluate, message=["bad.safetensors", "safetensors file"])
        self.refused("export", path, "-o", self.trained, message=["bad.safetensors", "checkpoint"])
        self.refused("train", TINY, "--init", path, "--resume", path, message=["--init", "--resume"])
        self.refused("evaluate", TINY, message=["--init"])

    def test_precisions(self):
        """A file has the batch norm and biases of each precision; without them each starts from the same parameters."""
        for network in ("tiny_pool", "tiny_graph"):
            with self.subTest(network):
                trained = self.train(network, "--scheme", "any_precision", steps=12)
                bits = [(one["weight_bits"], one["activation_bits"]) for one in trained["precisions"]]
                self.assertEqual(bits, [(2, 2), (1, 1)])
                self.assertEqual(trained["precisions"][0]["accuracy"], trained["accuracy"])
                found = self.evaluate(network, self.trained, "--scheme", "any_precision")
                self.assertEqual(found["precisions"], trained["precisions"])
                tensors, metadata = read_tensors(self.trained)
                layer = metadata["layers"].split()[1]  # the first sees the same pixels with the same bits
                name = f"{layer}.batch_norm.running_mean"
                self.assertNotEqual(tensors[name], tensors[f"precision_1_1/{name}"])
                self.assertEqual(tensors[f"{layer}.weight"], tensors[f"precision_1_1/{layer}.weight"])
                plain = self.folder / "plain.safetensors"
                write_tensors(plain, {key: tensor for key, tensor in tensors.items() if not key.startswith("precision_")})
                alone = self.evaluate(network, plain, "--scheme", "any_precision")
                self.assertEqual(alone["precisions"][0], trained["precisions"][0])
        # A training in phases ends in the last, whatever its steps, and so does what a checkpoint exports.
        checkpoint, again = self.folder / "run.ckpt", self.folder / "again.safetensors"
        self.train("tiny_pool", "--scheme", "progressive", "--checkpoint", checkpoint, steps=1)
        self.report("export", checkpoint, "-o", again)
        self.assertEqual(read_tensors(again), read_tensors(self.trained))
        self.assertEqual(read_tensors(again)[1]["conv1.weight_bits"], "1")

    def test_calibration(self):
        """Exponents of each layer, by each criterion; and what has none is refused."""
        self.train("tiny_pool", "--scheme", "qcode", steps=30)
        evaluate = ("tiny_pool", self.trained, "--scheme", "qcode")
        plain = self.evaluate(*evaluate, config=SQUARE)
        self.assertEqual(plain["calibration"], [])
        for criterion in ("mse", "kl", "accuracy"):
            with self.subTest(criterion):
                found = self.evaluate(*evaluate, "--calibrate", 40, "--criterion", criterion, config=SQUARE)
                self.assertEqual([one["layer"] for one in found["calibration"]], ["conv0", "conv1", "fc2"])
                self.assertNotIn("activation_exponent", found["calibration"][-1])
                for one in found["calibration"][:-1]:
                    self.assertTrue(-16 <= one["activation_exponent"] <= 40)
        self.refused("evaluate", TINY, "--network", "tiny_pool", "--batch", 16, "--init", self.trained, "--calibrate", 4, message=["--calibrate", "--scheme qcode"])
        self.refused("evaluate", TINY, "--network", "tiny_pool", "--init", self.trained, "--criterion", "kl", message=["--criterion", "--calibrate"])

    def test_names_that_meet(self):
        network = self.folder / "n.toml"
        layer = '[[layer]]\nname = "{}"\ntype = "fc"\nchannels = 10\nbatch_norm = {}\n'
        network.write_text(layer.format("a", "true") + layer.format("a.batch_norm", "false") + '[[layer]]\ntype = "fc"\n')
        self.refused("train", TINY, "--network", network, "--steps", 1, "--export", self.trained,
                     message=["a.batch_norm", "another name"])
        self.assertFalse(self.trained.exists())

    def test_float_checkpoint(self):
        checkpoint, whole = self.folder / "run.ckpt", self.folder / "whole.safetensors"
        for network in ("tiny_pool", "tiny_dropout"):
            with self.subTest(network):
                report = self.train(network, "--engine", "float", steps=6, export=whole)
                self.train(network, "--engine", "float", "--checkpoint", checkpoint, steps=3)
                resumed = self.train(network, "--engine", "float", "--resume", checkpoint, steps=6)
                self.assertEqual(resumed["loss"], report["loss"])
                self.assertEqual(resumed["resumed_from"], 3)
                self.assertEqual(read_tensors(self.trained), read_tensors(whole))
        self.refused("train", TINY, "--network", network, "--batch", 16, "--steps", 6, "--resume", checkpoint,
                     message=["another engine", "--engine float"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
