#include "models/catalogue/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

extern char** environ;

namespace consort {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kTick{100};
constexpr milliseconds kGrace{2000};  // between SIGTERM and SIGKILL

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& added) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry; ++entry) {
    const std::string text = *entry;
    bool replaced = false;
    for (const auto& [name, value] : added) replaced |= text.rfind(name + "=", 0) == 0;
    if (!replaced) all.push_back(text);
  }
  for (const auto& [name, value] : added) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (auto& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

// waitpid until the child has ended or `limit` has passed; -1 when it still runs.
int wait_for(pid_t pid, milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    int status = 0;
    const pid_t got = ::waitpid(pid, &status, WNOHANG);
    if (got == pid) return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (got < 0 && errno != EINTR) return 255;
    if (std::chrono::steady_clock::now() >= end) return -1;
    std::this_thread::sleep_for(milliseconds(10));
  }
}

void end_group(pid_t pid) {
  ::kill(-pid, SIGTERM);
  if (wait_for(pid, kGrace) >= 0) return;
  ::kill(-pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
}

Result<pid_t> spawn(const ChildProcess& child) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, child.output_file.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A group of its own (so that it can be ended as a whole) and the default signals and mask.
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT}) sigaddset(&defaults, signal);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<std::string> arguments = child.arguments, environment = environment_with(child.environment);
  auto argv = pointers(arguments), envp = pointers(environment);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), envp.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error == ENOENT || error == EACCES)
    return fail(ErrorKind::kUnavailable, "cannot run " + child.arguments[0] + ": " + std::strerror(error));
  if (error != 0)
    return fail(ErrorKind::kIo, "cannot start " + child.arguments[0] + ": " + std::strerror(error));
  return pid;
}

}  // namespace

Result<int> run_child(const ChildProcess& child, const std::function<bool()>& tick) {
  CONSORT_TRY(pid, spawn(child));
  for (;;) {
    if (const int status = wait_for(pid, kTick); status >= 0) return status;
    if (tick && !tick()) {
      end_group(pid);
      return fail(ErrorKind::kCancelled, "stopped while " + child.arguments[0] + " was at work");
    }
  }
}

}  // namespace consort
