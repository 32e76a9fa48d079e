#include "protocols/cli/console.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "protocols/json/problem_json.h"

namespace consort {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr int kBarWidth = 28;

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string amount(std::uint64_t n, const std::string& unit) {
  if (unit != "B") return fmt::format("{} {}", n, unit);
  if (n >= 10'000'000) return fmt::format("{:.0f} MB", static_cast<double>(n) / 1e6);
  if (n >= 100'000) return fmt::format("{:.1f} MB", static_cast<double>(n) / 1e6);
  return fmt::format("{:.1f} kB", static_cast<double>(n) / 1e3);
}

}  // namespace

void Console::configure(bool json, bool quiet) {
  json_ = json;
  quiet_ = quiet;
  tty_out_ = isatty(STDOUT_FILENO) == 1;
  colour_ = isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
}

void Console::out(std::string_view text) {
  std::lock_guard lock(mutex_);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void Console::line(std::string_view text) { out(std::string(text) + "\n"); }

void Console::result(const Value& v) { line(tty_out_ ? write_json_pretty(v) : write_json(v)); }

void Console::json_line(const Value& v) { line(write_json(v)); }

void Console::note(std::string_view text) {
  if (quiet_) return;
  std::lock_guard lock(mutex_);
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fputc('\n', stderr);
}

int Console::fail(const Error& error) {
  if (json_) line(error_json(error));
  std::lock_guard lock(mutex_);
  if (!json_) {
    std::string text = error.line();
    for (char& c : text)
      if (c == '\n' || c == '\r') c = ' ';
    if (colour_) text = "\033[31mconsort:\033[0m" + text.substr(8);
    std::fprintf(stderr, "%s\n", text.c_str());
  }
  return exit_status(error.kind);
}

Value problem_value(const Error& error) { return parse_json(error_json(error)).value_or(Value()); }

Progress::Progress(Console& console, std::string label, std::string unit)
    : console_(console), label_(std::move(label)), unit_(std::move(unit)), started_(now_seconds()) {
  tty_ = isatty(STDERR_FILENO) == 1;
}

Progress::~Progress() { finish(); }

void Progress::update(std::uint64_t done, std::uint64_t total) {
  done_ = done;
  total_ = total;
  if (console_.quiet()) return;
  if (!tty_) {
    if (!announced_) console_.note(fmt::format("   {} ...", label_));
    announced_ = true;
    return;
  }
  const double now = now_seconds();
  if (now - drawn_ < kRedrawSeconds && done != total) return;
  drawn_ = now;
  draw(false);
}

void Progress::draw(bool last) {
  const double seconds = std::max(1e-3, now_seconds() - started_);
  const double share = total_ == 0 ? 0.0 : std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
  std::string bar;
  for (int i = 0; i < kBarWidth; ++i) bar += i < static_cast<int>(share * kBarWidth) ? "█" : "░";
  std::string rate = unit_ == "B" ? amount(static_cast<std::uint64_t>(done_ / seconds), unit_) + "/s"
                                  : fmt::format("{:.0f} {}/s", done_ / seconds, unit_);
  std::fprintf(stderr, "\r\033[K   %s %s %3.0f %%  %s  %s%s", label_.c_str(), bar.c_str(), share * 100,
               amount(done_, unit_).c_str(), rate.c_str(), last ? "\n" : "");
  std::fflush(stderr);
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  if (console_.quiet() || (done_ == 0 && !announced_)) return;
  if (tty_) return draw(true);
  console_.note(fmt::format("   {} done ({}, {:.1f} s)", label_, amount(done_, unit_), now_seconds() - started_));
}

}  // namespace consort
