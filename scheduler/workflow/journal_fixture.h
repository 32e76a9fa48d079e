// What tests of runs with a journal share: a store in a directory of its own, its journal and a runner.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "memory/store/temporary_store.h"
#include "scheduler/workflow/runner_test_support.h"

namespace consort::test {

class JournalFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = Store::open(directory_ / "store");
    ASSERT_TRUE(store) << store.error().line();
    store_ = std::move(*store);
    ASSERT_TRUE(store_->ensure_family("notes"));
    auto journal = Journal::open(*store_);
    ASSERT_TRUE(journal) << journal.error().line();
    journal_ = std::move(*journal);
    bench_.journal = journal_.get();
  }
  static RunOptions options(const std::string& id) {
    RunOptions options;
    options.run_id = id;
    options.seed = 7;
    return options;
  }
  RunReport run(const std::string& text, const std::string& id, const std::string& input = "{}") {
    return bench_.run(text, input, options(id));
  }
  Result<RunReport> resume(const std::string& text, const std::string& id) {
    return bench_.start(bench_.parse(text), Value(), options(id), true);
  }
  // state of the task stored at an execution path, "absent" when none is.
  std::string state_of(const std::string& id, const std::string& path) {
    const auto tasks = journal_->tasks(id);
    for (const auto& [at, record] : *tasks)
      if (at == path) return record.state;
    return "absent";
  }
  // How many events of a run say `status`.
  int events_with(const std::string& id, const std::string& status) {
    int found = 0;
    const auto events = journal_->events(id);
    for (const RunEvent& event : *events) found += event.data.get("status") == Value(status);
    return found;
  }

  const testing::TemporaryDirectory directory_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Journal> journal_;
  Bench bench_;
};

}  // namespace consort::test
