// What mailboxes keep in the store, and what damaged records do.
#include "agents/mailbox/mailbox.h"

#include <gtest/gtest.h>

#include "memory/store/store.h"
#include "memory/store/temporary_store.h"
#include "scheduler/bus/simulated_channel.h"

namespace consort {
namespace {

class MailboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = Store::open(directory_ / "store");
    ASSERT_TRUE(store) << store.error().line();
    store_ = std::move(*store);
    ASSERT_TRUE(store_->ensure_family(kMailFamily));
  }
  // What a process that begins now reads of the agent's mailbox.
  Result<std::shared_ptr<Mailbox>> reopened() {
    channel_ = make_simulated_channel();
    mailboxes_ = std::make_unique<Mailboxes>(*channel_, store_.get());
    return mailboxes_->open("run", "critic");
  }
  // The agent says two things and reads nothing; gives the records.
  std::vector<StoreWrite> one_turn() {
    auto mailbox = reopened();
    EXPECT_TRUE(mailbox);
    std::vector<StoreWrite> writes =
        (*mailbox)->finish("turn-1", {{"user", "Is it true?"}, {"assistant", "Yes."}}, {});
    EXPECT_TRUE(store_->commit(writes, Durability::kAsync));
    return writes;
  }

  const testing::TemporaryDirectory directory_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Channel> channel_;
  std::unique_ptr<Mailboxes> mailboxes_;
};

TEST_F(MailboxTest, AConversationIsThereAgain) {
  EXPECT_EQ(one_turn().size(), 2u);
  auto mailbox = reopened();
  ASSERT_TRUE(mailbox) << mailbox.error().line();
  const std::vector<ChatMessage> said = (*mailbox)->conversation("turn-2");
  ASSERT_EQ(said.size(), 2u);
  EXPECT_EQ(said[1].content, "Yes.");
  EXPECT_TRUE((*mailbox)->conversation("turn-1").empty());  // what a turn said itself is not before it
}

TEST_F(MailboxTest, DamagedRecordsAreNamedAndNeverCrash) {
  const std::vector<StoreWrite> writes = one_turn();
  StoreWrite letter = writes.front();  // in the place of a letter
  letter.key[letter.key.rfind('c')] = 'l';
  int refused = 0;
  const auto check = [&](StoreWrite write, const std::string& value) {
    write.value = value;
    ASSERT_TRUE(store_->commit({write}, Durability::kAsync));
    auto mailbox = reopened();
    if (mailbox) return;  // a flipped bit in a text is another text
    ++refused;
    EXPECT_EQ(mailbox.error().kind, ErrorKind::kCorrupt) << mailbox.error().line();
    EXPECT_NE(mailbox.error().line().find("critic"), std::string::npos) << mailbox.error().line();
  };
  const std::string good = writes.front().value;
  for (std::size_t cut = 0; cut < good.size(); ++cut) check(writes.front(), good.substr(0, cut));
  EXPECT_EQ(refused, static_cast<int>(good.size()));
  for (std::size_t i = 0; i < good.size() * 8; ++i) {
    std::string flipped = good;
    flipped[i / 8] = static_cast<char>(flipped[i / 8] ^ (1 << (i % 8)));
    check(writes.front(), flipped);
  }
  EXPECT_GT(refused, static_cast<int>(good.size()));
  check(writes.front(), good);
  for (const char* wrong :
       {"", "[]", "7", "{}", R"({"turn":1,"from":"a","text":"b"})", R"({"turn":"t","from":"a"})"}) {
    const int before = refused;
    check(letter, wrong);
    EXPECT_EQ(refused, before + 1) << wrong;
  }
  check(letter, R"({"turn":"t","from":"a","text":"b","number":-1,"readIn":7})");
}

}  // namespace
}  // namespace consort
