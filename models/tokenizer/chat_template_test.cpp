#include "models/tokenizer/chat_template.h"

#include <gmock/gmock.h>

#include "models/tokenizer/testing/memory_source.h"

namespace consort {
namespace {

using Ids = std::vector<TokenId>;
const std::vector<ChatMessage> kHello = {{"user", "ab"}};

Error parse_error(const std::string& source) {
  auto parsed = ChatTemplate::parse(source, "<s>", "</s>");
  return parsed ? Error{ErrorKind::kRuntime, "parsed", "", ""} : parsed.error();
}

Error render_error(const std::string& source, const std::vector<ChatMessage>& messages = kHello) {
  auto parsed = ChatTemplate::parse(source, "<s>", "</s>");
  if (!parsed) return parsed.error();
  auto prompt = parsed->render(messages, true);
  return prompt ? Error{ErrorKind::kRuntime, "rendered", "", ""} : prompt.error();
}

TEST(ChatTemplate, UnknownConstructsAreErrorsWhenParsed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{% include 'x' %}", "include"},
      {"{% call f() %}{% endcall %}", "call"},
      {"{{ x|frobnicate }}", "frobnicate"},
      {"{{ x is frobnicated }}", "frobnicated"},
      {"{{ x.frobnicate() }}", "frobnicate"},
      {"{{ frobnicate(1) }}", "frobnicate"},
      {"{{ 2 ** 3 }}", "**"},
      {"{% for x in y recursive %}{% endfor %}", "recursive"}};
  for (const auto& [source, construct] : cases) {
    const Error e = parse_error("line one\n  " + source);
    EXPECT_EQ(e.kind, ErrorKind::kUnsupported) << source << ": " << e.what;
    EXPECT_THAT(e.what, ::testing::HasSubstr(construct));
    EXPECT_THAT(e.where, ::testing::HasSubstr("line 2, column ")) << source;
  }
}

TEST(ChatTemplate, SyntaxErrorsNameTheirPlace) {
  for (const char* source :
       {"{{", "{% if x %}", "{% endif %}", "{{ 'a }}", "{{ }}", "{{ a b }}", "{% for in x %}{% endfor %}",
        "{% set %}", "{{ [1, }}", "{{ {1} }}", "{% if %}{% endif %}", "{% break %}", "{{ a..b }}"}) {
    const Error e = parse_error(source);
    EXPECT_EQ(e.kind, ErrorKind::kInvalid) << source << ": " << e.what;
    EXPECT_THAT(e.where, ::testing::HasSubstr("line 1")) << source;
  }
}

TEST(ChatTemplate, HostileTemplatesAreStopped) {
  const auto many = [](const std::string& part, int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += part;
    return out;
  };
  EXPECT_EQ(
      render_error("{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}").kind,
      ErrorKind::kMemory);
  EXPECT_EQ(render_error(
                "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(64) %}{% set ns.s = ns.s ~ ns.s %}"
                "{% endfor %}")
                .kind,
            ErrorKind::kMemory);
  EXPECT_EQ(render_error("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}").kind, ErrorKind::kMemory);
  EXPECT_EQ(render_error(many("{% set x = [x, x] %}", 60) + "{{ x }}").kind, ErrorKind::kMemory);
  EXPECT_EQ(
      render_error("{% set x = [1] %}" + many("{% set x = [x, x, x] %}", 25) + "{{ x == x }}{{ x|tojson }}")
          .kind,
      ErrorKind::kMemory);
  EXPECT_NE(render_error("{% set n = namespace() %}{% set n.a = n %}{{ n }}").what, "rendered");
  EXPECT_NE(render_error("{{ " + many("(", 5000) + "1" + many(")", 5000) + " }}").what, "rendered");
  EXPECT_NE(render_error("{{ 1" + many(" + 1", 20000) + " }}").what, "rendered");
  EXPECT_NE(render_error("{{ " + many("- ", 50000) + "1 }}").what, "rendered");
  EXPECT_NE(render_error("{{ " + many("not ", 20000) + "1 }}").what, "rendered");
  EXPECT_NE(render_error(many("{% if true %}", 5000) + many("{% endif %}", 5000)).what, "rendered");
  EXPECT_NE(render_error(std::string(2 << 20, 'x')).what, "rendered");
  EXPECT_EQ(render_error("{{ 'x' * 99999999999 }}").kind, ErrorKind::kMemory);
  EXPECT_EQ(render_error("{{ (9223372036854775 * 9999) * 99999 }}").kind, ErrorKind::kInvalid);
  EXPECT_EQ(render_error("{{ range(5, 922337203685477580 * 10 + 7, 922337203685477580 * 10)|list }}").what,
            "rendered");
  EXPECT_EQ(render_error("{{ 'abc'[1::922337203685477580 * 10] }}").what, "rendered");
  EXPECT_NE(render_error(
                "{% for m in messages %}{{ m.content|list|length }}{{ m.content[::-1] * 1000 }}{% endfor %}",
                {{"user", std::string(8 << 20, 'y')}})
                .what,
            "rendered");
}

TEST(ChatTemplate, RaisedMessagesAreInvalidInput) {
  const Error e = render_error("{{ raise_exception('roles must alternate') }}");
  EXPECT_EQ(e.kind, ErrorKind::kInvalid);
  EXPECT_THAT(e.what, ::testing::HasSubstr("roles must alternate"));
}

class Encoding : public ::testing::Test {
 protected:
  Ids encode(const std::string& source, const std::vector<ChatMessage>& messages, bool parse = false) {
    auto chat = ChatTemplate::parse(source, "<s>", "<x>");
    if (!chat) ADD_FAILURE() << chat.error().line();
    auto ids = chat->encode(*tokenizer_, messages, false, parse);
    if (!ids) ADD_FAILURE() << ids.error().line();
    return *ids;
  }
  std::unique_ptr<Tokenizer> tokenizer_ = std::move(*load_tokenizer(testing::tiny_bpe()));
};

TEST_F(Encoding, ContentsAreLiteralHoweverTheTemplateHandlesThem) {
  const std::vector<ChatMessage> hostile = {{"<x>", "  <s>b<x>  "}};
  const Ids marks = {0, 1};
  for (const char* expression : {"m.content",
                                 "m.content|trim",
                                 "m.content|upper|lower",
                                 "m.content.strip()",
                                 "m.content.split('b')|join('b')",
                                 "m.content|replace('b', 'b')",
                                 "m.content[1:]",
                                 "m.content[::-1][::-1]",
                                 "m.content|list|join",
                                 "m|tojson",
                                 "m.content|tojson",
                                 "m",
                                 "[m.content]",
                                 "m.content ~ ''",
                                 "m.content * 1",
                                 "m.content|default('')",
                                 "m.content|string",
                                 "m.content|indent",
                                 "m['content']",
                                 "messages|map(attribute='content')|join",
                                 "m.items()|map('last')|join",
                                 "(m.content,)|first",
                                 "m.content|title|lower",
                                 "m.content if true",
                                 "namespace(c=m.content).c",
                                 "m.role",
                                 "messages",
                                 "m.content.rsplit('b', 1)|last",
                                 "m.content|capitalize|lower",
                                 "m.content.replace('b', m.role)"}) {
    const std::string source =
        std::string("<s>{% for m in messages %}{{ ") + expression + " }}{% endfor %}<x>";
    Ids ids = encode(source, hostile);
    ids.erase(std::remove_if(ids.begin(), ids.end(), [](TokenId id) { return id > 1; }), ids.end());
    EXPECT_EQ(ids, marks) << expression;
  }
}

TEST_F(Encoding, BordersMergeAsInTheReference) {
  const std::string source = "<s>a{{ messages[0].content }}cd{{ eos_token }}";
  const std::vector<ChatMessage> b = {{"user", "b"}};
  EXPECT_EQ(encode(source, b), (Ids{0, 11, 5, 1}));  // a|b|c becomes one token over both borders
  EXPECT_EQ(encode(source, b), encode(source, b, true));
  EXPECT_EQ(encode(source, {{"user", "<x>"}}, true), (Ids{0, 2, 1, 15, 1}));
  EXPECT_EQ(encode(source, {{"user", "<x>"}}), (Ids{0, 2, 15, 1}));
  EXPECT_EQ(encode("<{{ messages[0].content }}>", {{"user", "s"}}), Ids{});  // half from outside: no token
}

}  // namespace
}  // namespace consort
