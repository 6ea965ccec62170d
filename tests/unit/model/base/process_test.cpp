// SPDX-License-Identifier: Apache-2.0
#include "model/base/process.hpp"

#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <thread>

#include "model/base/error.hpp"
#include "model/base/files.hpp"
#include "tests/support/scratch.hpp"

namespace solfege {
namespace {

std::vector<std::string> shell(const std::string& script) { return {"sh", "-c", script}; }

bool alive(const std::string& number) { return kill(std::stoi(number), 0) == 0; }

TEST_CASE("a program's status, output and folder", "[process]") {
  const Scratch scratch;
  CHECK(run_process(shell("pwd; echo bad >&2; exit 3"), scratch.path(), "log") == 3);
  CHECK_THAT(read_file(scratch.path("log")),
             Catch::Contains(trim(scratch.path().substr(0, scratch.path().size() - 1))) &&
                 Catch::Contains("bad"));
  CHECK(run_process(shell("kill -11 $$"), scratch.path(), "log") == 128 + SIGSEGV);
  // Its temporary files are beside its other ones, and go.
  CHECK(run_process(shell("echo x > $TMPDIR/x; echo $TMPDIR"), scratch.path(), "where") == 0);
  const std::string temporary = trim(read_file(scratch.path("where")));
  CHECK_THAT(temporary, Catch::StartsWith(scratch.path()));
  CHECK_FALSE(std::filesystem::exists(temporary));
  require_error<InputError>(
      [&] { run_process({"no-such-tool"}, scratch.path(), "log", {}, "tool"); },
      {"no-such-tool", "apt-get install tool"});
  CHECK(capture_process({"cat"}, "text").output == "text");
  CHECK(capture_process(shell("echo e >&2; exit 2")).errors == "e\n");
  CHECK(capture_process(shell("exit 2")).status == 2);
  CHECK_THROWS_AS(tool_version({"false"}), std::runtime_error);
}

TEST_CASE("what a program has started ends with it, and when it is no longer wanted", "[process]") {
  const Scratch scratch;
  // It ends, and leaves one behind.
  CHECK(run_process(shell("sleep 1000 & echo $! > child"), scratch.path(), "log") == 0);
  // It does not end.
  struct Enough {};
  const auto started = std::chrono::steady_clock::now();
  CHECK_THROWS_AS(
      run_process(shell("sleep 1000 & echo $! > other; sleep 1000"), scratch.path(), "log",
                  [&] {
                    if (std::filesystem::exists(scratch.path("other"))) throw Enough();
                  }),
      Enough);
  CHECK(std::chrono::steady_clock::now() - started < std::chrono::seconds(20));
  for (const char* name : {"child", "other"}) {
    const std::string number = trim(read_file(scratch.path(name)));
    INFO(name << " " << number);
    for (int i = 0; i < 100 && alive(number); ++i)  // until its new parent has seen it
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK_FALSE(alive(number));
  }
}

TEST_CASE("an output that is cut short is refused", "[process]") {
  const Scratch scratch;
  CHECK_NOTHROW(require_ending(scratch.write("a.json", "{\n}\n"), "}"));
  CHECK_NOTHROW(require_ending(scratch.write("a.v", "module x;\nendmodule\n\n"), "endmodule"));
  for (const char* text : {"", "\n", "module x;\nendmod", "endmodule x"}) {
    const std::string path = scratch.write("b.v", text);
    require_error<InputError>([&] { require_ending(path, "endmodule"); }, {path, "cut it short"});
  }
  require_error<InputError>([&] { require_ending(scratch.path("none"), ""); }, {"none"});
}

}  // namespace
}  // namespace solfege
