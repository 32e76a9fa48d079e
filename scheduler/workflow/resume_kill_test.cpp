// kill -9 at 200 random moments of runs with fork, for, while, switch, try and failures that are tolerated,
// caught or tried again, resumed each time: no call that was committed is made again, nothing is lost, the
// output is that of a run nobody disturbed.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <sstream>
#include <thread>

#include "memory/store/temporary_store.h"

namespace consort {
namespace {

constexpr int kKills = 200;
// list, odd, wide, count; caught: bad and mend; tolerant; most: lost and kept; again: three tries; end.
constexpr int kCalls = 12 + 6 + 16 + 10 + 2 + 6 + 2 + 3 + 1;
// The writes of a failed call are dropped with it: bad, three of tolerant, lost, two tries of again.
constexpr int kEffects = kCalls - 7;
using Clock = std::chrono::steady_clock;

std::string text_of(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

// One process: ends by itself, or is killed `after` the moment at which it says "ready".
class Victim {
 public:
  Victim(const std::filesystem::path& directory, const std::string& run_id) : directory_(directory) {
    notes_ = directory / ("notes-" + run_id);
    answer_ = directory / ("answer-" + run_id);
    readies_ = count("ready");
    pid_ = ::fork();
    if (pid_ == 0) {
      const int out = ::open(answer_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      ::dup2(out, 1);
      ::execl(CONSORT_RESUME_VICTIM, "resume_victim", (directory / "store").c_str(), notes_.c_str(),
              run_id.c_str(), static_cast<char*>(nullptr));
      ::_exit(127);
    }
  }
  // True when it was killed, false when it had ended before.
  bool kill_after(Clock::duration after) {
    while (count("ready") == readies_ && !ended()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const auto until = Clock::now() + after;
    while (Clock::now() < until && !ended()) std::this_thread::sleep_for(std::chrono::microseconds(200));
    if (ended()) return false;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, &status_, 0);
    pid_ = -1;
    return WIFSIGNALED(status_);
  }
  int wait() {
    if (pid_ > 0) ::waitpid(pid_, &status_, 0);
    pid_ = -1;
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : -1;
  }
  std::string answer() const { return text_of(answer_); }
  std::string notes() const { return text_of(notes_); }

 private:
  bool ended() {
    if (pid_ > 0 && ::waitpid(pid_, &status_, WNOHANG) == pid_) pid_ = -1;
    return pid_ < 0;
  }
  int count(const std::string& word) const {
    std::istringstream lines(text_of(notes_));
    int found = 0;
    for (std::string line; std::getline(lines, line);) found += line == word;
    return found;
  }
  std::filesystem::path directory_, notes_, answer_;
  pid_t pid_ = -1;
  int readies_ = 0, status_ = 0;
};

// Calls made although they had been committed. Collects all calls; counts those found committed at a start.
std::vector<std::string> repeated(const std::string& notes, std::set<std::string>& calls,
                                  std::size_t& found) {
  std::set<std::string> committed;
  std::vector<std::string> wrong;
  std::istringstream lines(notes);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("done ")) {
      committed.insert(line.substr(5));
      ++found;
    }
    if (!line.starts_with("call ")) continue;
    calls.insert(line.substr(5));
    if (committed.count(line.substr(5))) wrong.push_back(line);
  }
  return wrong;
}

TEST(ResumeKillTest, NoCommittedCallIsMadeAgainAndTheOutputStaysTheSame) {
  const testing::TemporaryDirectory temporary;
  const std::filesystem::path directory = temporary.path();
  const auto began = Clock::now();
  Victim undisturbed(directory, "undisturbed");
  ASSERT_FALSE(undisturbed.kill_after(std::chrono::seconds(60)));
  ASSERT_EQ(undisturbed.wait(), 0);
  const std::string expected = undisturbed.answer();
  ASSERT_NE(expected.find("\"effects\":" + std::to_string(kEffects) + ",\"gapless\":true"), std::string::npos)
      << expected;
  std::mt19937_64 random(20240229);
  int kills = 0, runs = 0;
  std::size_t found = 0;
  while (kills < kKills) {
    const std::string run_id = "run-" + std::to_string(runs++);
    while (true) {
      Victim victim(directory, run_id);
      if (kills < kKills && victim.kill_after(std::chrono::microseconds(random() % 30'000))) {
        ++kills;
        continue;
      }
      ASSERT_EQ(victim.wait(), 0) << run_id;
      EXPECT_EQ(victim.answer(), expected) << run_id;
      std::set<std::string> calls;
      EXPECT_EQ(repeated(victim.notes(), calls, found), std::vector<std::string>{}) << run_id;
      EXPECT_EQ(calls.size(), static_cast<std::size_t>(kCalls)) << run_id;
      break;
    }
  }
  EXPECT_GT(found, 1000u);  // the kills came in the middle of the runs
  const std::chrono::duration<double> spent = Clock::now() - began;
  std::printf("%d kills in %d runs, %zu committed calls found again, %.1f s\n", kills, runs, found,
              spent.count());
}

}  // namespace
}  // namespace consort
