#include "protocols/cli/command_line.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <optional>

namespace consort {

CommandOption& CommandOption::required() {
  option_->required();
  return *this;
}
CommandOption& CommandOption::delimiter(char separator) {
  option_->delimiter(separator);
  return *this;
}
CommandOption& CommandOption::show_default() {
  option_->capture_default_str();
  return *this;
}
CommandOption& CommandOption::type_name(const std::string& name) {
  option_->type_name(name);
  return *this;
}
CommandOption& CommandOption::needs(const CommandOption& other) {
  option_->needs(other.option_);
  return *this;
}
CommandOption& CommandOption::one_of(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values));
  return *this;
}
CommandOption& CommandOption::in_range(int low, int high) {
  option_->check(CLI::Range(low, high));
  return *this;
}
CommandOption& CommandOption::in_range(double low, double high) {
  option_->check(CLI::Range(low, high));
  return *this;
}
CommandOption& CommandOption::positive() {
  option_->check(CLI::PositiveNumber);
  return *this;
}
CommandOption& CommandOption::non_negative() {
  option_->check(CLI::NonNegativeNumber);
  return *this;
}
CommandOption& CommandOption::existing_file() {
  option_->check(CLI::ExistingFile);
  return *this;
}
bool CommandOption::given() const {
  return option_->count() > 0;
}

Command Command::add_subcommand(const std::string& name, const std::string& about) {
  return Command(app_->add_subcommand(name, about));
}

template <class Target>
CommandOption Command::add_option(const std::string& names, Target& target, const std::string& about) {
  return CommandOption(app_->add_option(names, target, about));
}
template CommandOption Command::add_option(const std::string&, std::string&, const std::string&);
template CommandOption Command::add_option(const std::string&, int&, const std::string&);
template CommandOption Command::add_option(const std::string&, std::uint64_t&, const std::string&);
template CommandOption Command::add_option(const std::string&, float&, const std::string&);
template CommandOption Command::add_option(const std::string&, double&, const std::string&);
template CommandOption Command::add_option(const std::string&, std::optional<std::string>&,
                                           const std::string&);
template CommandOption Command::add_option(const std::string&, std::optional<int>&, const std::string&);
template CommandOption Command::add_option(const std::string&, std::optional<double>&, const std::string&);
template CommandOption Command::add_option(const std::string&, std::optional<std::uint64_t>&,
                                           const std::string&);
template CommandOption Command::add_option(const std::string&, std::vector<std::string>&, const std::string&);
template CommandOption Command::add_option(const std::string&, std::vector<int>&, const std::string&);
template CommandOption Command::add_option(const std::string&, std::vector<double>&, const std::string&);

CommandOption Command::add_flag(const std::string& name, bool& target, const std::string& about) {
  return CommandOption(app_->add_flag(name, target, about));
}
void Command::require_subcommand() {
  app_->require_subcommand(1);
}
bool Command::given(const std::string& name) const {
  return app_->count(name) > 0;
}
void Command::callback(std::function<void()> chosen) {
  app_->callback(std::move(chosen));
}

CommandLine::CommandLine(const std::string& name, const std::string& about, const std::string& footer)
    : app_(new CLI::App(about)) {
  app_->name(name);
  app_->require_subcommand(1);
  app_->fallthrough();
  app_->set_help_all_flag("--help-all", "help of every command");
  app_->footer(footer);
}
CommandLine::~CommandLine() {
  delete app_;
}

Command CommandLine::program() {
  return Command(app_);
}

CommandLine::Outcome CommandLine::parse(std::vector<std::string> args) {
  std::reverse(args.begin(), args.end());  // CLI11 takes them from the back
  try {
    app_->parse(std::move(args));
  } catch (const CLI::Success& e) {
    return {.finished = true, .status = app_->exit(e)};
  } catch (const CLI::ParseError& e) {
    return {.error = e.what()};
  }
  return {};
}

}  // namespace consort
