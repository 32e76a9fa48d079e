// The interpreter against Python's jinja2 (data/jinja_cases.jsonl, made by make_jinja_cases.py): same text,
// or an error where the reference has one.
#include <gmock/gmock.h>

#include "models/tokenizer/chat_template.h"
#include "tests/golden/tokenizer/golden_files.h"

namespace consort::golden {
namespace {

TEST(JinjaGolden, EveryCaseRendersAsInTheReference) {
  const auto rows = json_lines("jinja_cases.jsonl");
  ASSERT_GE(rows.size(), 150u);
  for (const auto& row : rows) {
    std::vector<ChatMessage> messages;
    for (const auto& m : row.at("messages"))
      messages.push_back({m.at("role").get<std::string>(), m.at("content").get<std::string>()});
    const auto source = row.at("template").get<std::string>();
    auto parsed =
        ChatTemplate::parse(source, row.at("bos").get<std::string>(), row.at("eos").get<std::string>());
    if (!parsed) {
      EXPECT_TRUE(row.contains("error")) << row.at("name") << ": " << source << "\n" << parsed.error().line();
      continue;
    }
    const auto prompt = parsed->render(messages, row.at("add_generation_prompt").get<bool>());
    if (row.contains("error"))
      EXPECT_FALSE(prompt) << row.at("name") << ": " << source << "\ngave " << *prompt;
    else if (!prompt)
      ADD_FAILURE() << row.at("name") << ": " << source << "\n" << prompt.error().line();
    else
      EXPECT_EQ(*prompt, row.at("prompt").get<std::string>()) << row.at("name") << ": " << source;
  }
}

}  // namespace
}  // namespace consort::golden
