// Commands and their options as the command files declare them. The parser behind (CLI11) is compiled in
// command_line.cpp alone: its header costs a file nine seconds of compile time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace consort {

// One option of a command: a handle, valid while the CommandLine lives. Each call returns the handle.
class CommandOption {
 public:
  explicit CommandOption(CLI::Option* option) : option_(option) {}
  CommandOption& required();
  CommandOption& delimiter(char separator);  // "a,b" counts as two values of a list
  CommandOption& show_default();             // the help shows the target's value as it is now
  CommandOption& type_name(const std::string& name);
  CommandOption& needs(const CommandOption& other);  // wrong usage without the other one
  // What else is wrong usage:
  CommandOption& one_of(const std::vector<std::string>& values);
  CommandOption& in_range(int low, int high);  // both ends belong to the range
  CommandOption& in_range(double low, double high);
  CommandOption& positive();
  CommandOption& non_negative();
  CommandOption& existing_file();
  bool given() const;  // from the callback on

 private:
  CLI::Option* option_;
};

// A command or group of commands: a handle, valid while the CommandLine lives.
class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}
  Command add_subcommand(const std::string& name, const std::string& about);
  // `names`: "--name", or "name" for a positional one. The value is written to `target`, which must outlive
  // the parse. Target: std::string, int, std::uint64_t (also std::size_t), float, double; std::optional of
  // std::string, int, double and std::uint64_t; std::vector of std::string, int and double.
  template <class Target>
  CommandOption add_option(const std::string& names, Target& target, const std::string& about = "");
  CommandOption add_flag(const std::string& name, bool& target, const std::string& about);
  void require_subcommand();
  bool given(const std::string& name) const;    // that option of this command, from the callback on
  void callback(std::function<void()> chosen);  // called when the command line chose this command

 private:
  CLI::App* app_;
};

// The program's command line.
class CommandLine {
 public:
  CommandLine(const std::string& name, const std::string& about, const std::string& footer);
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  Command program();
  struct Outcome {
    bool finished = false;  // a help text was printed: leave with `status`
    int status = 0;
    std::string error;  // wrong usage, in one line
  };
  // `args`: without the program's name. Runs the chosen command's callback.
  Outcome parse(std::vector<std::string> args);

 private:
  CLI::App* app_;
};

}  // namespace consort
