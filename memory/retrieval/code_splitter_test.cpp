#include "memory/retrieval/code_splitter.h"

#include <gtest/gtest.h>

#include <random>

namespace consort {
namespace {

std::vector<std::string> symbols(std::string_view text, std::string_view label, std::size_t max_bytes = 64) {
  std::vector<std::string> names;
  for (const CodePiece& p : split_code(text, code_syntax(label), {max_bytes}))
    if (p.kind == "function" || p.kind == "class")
      if (names.empty() || names.back() != p.symbol) names.push_back(p.symbol);
  return names;
}
using Names = std::vector<std::string>;

constexpr std::string_view kCpp = R"source(// A file about rings.
#include "ring.h"
#define OPEN {
namespace rings { namespace {
constexpr int kSizes[] = {1, 2, 3};

// Adds one. "}" in a comment.
int add_one(int x) {
  const char* text = "} not the end";
  return x + 1'000 + '}';
}

template <typename T>
std::vector<T> Ring<T>::all() const { return {1, 2}; }
}  // namespace

class Ring {
 public:
  explicit Ring(int n) : n_(n) {}
  bool operator==(const Ring& other) const { return n_ == other.n_; }
  ~Ring();

 private:
  int n_ = 0;
};
}  // namespace rings
)source";

TEST(CodeSplitter, CppFunctionsAndMethods) {
  EXPECT_EQ(symbols(kCpp, "cpp"), (Names{"add_one", "Ring::all", "Ring", "Ring::Ring", "Ring::operator"}));
  const auto pieces = split_code(kCpp, CodeSyntax::kBraces, {64});
  const auto at =
      std::find_if(pieces.begin(), pieces.end(), [](const auto& p) { return p.symbol == "add_one"; });
  ASSERT_NE(at, pieces.end());
  EXPECT_TRUE(at->text.starts_with("// Adds one."));
  EXPECT_EQ(at->first_line, 7u);
  EXPECT_EQ(symbols(kCpp, "cpp", 400).back(), "Ring") << "a class that fits stays whole";
}

TEST(CodeSplitter, OtherLanguages) {
  EXPECT_EQ(
      symbols(
          "import os\n\n# above\n@cached\ndef first(a,\n          b):\n    '''def no'''\n    return 1\n\n\n"
          "class Box:\n    size = 3\n\n    def put(self, x):\n        return {\n'x': x}\n\n"
          "    async def get(self):\n        return self.x\n\nprint(first(1, 2))\n",
          "python"),
      (Names{"first", "Box", "Box.put", "Box.get"}));
  EXPECT_EQ(symbols("export function one(a) { return /[{]/.test(a) }\nconst two = async (x) => {\n  return "
                    "`}${x}`;\n};\n"
                    "class Three {\n  go(a) { return '}' }\n  stop() { return 2 + a / b }\n}\n",
                    "typescript"),
            (Names{"one", "two", "Three", "Three.go", "Three.stop"}));
  EXPECT_EQ(
      symbols("package a\n\ntype Reader struct {\n\tn int\n}\n\n// Next moves.\nfunc (r *Reader) Next(n int) "
              "(int, error) {\n\treturn n, nil\n}\n\nfunc main() {\n\tx := map[string]int{\"}\": 1}\n}\n",
              "go"),
      (Names{"Reader", "Next", "main"}));
  EXPECT_EQ(
      symbols(
          "impl<'a> Iterator for Words<'a> {\n    fn next(&mut self) -> Option<&'a str> {\n        None\n    "
          "}\n    fn size(&self) -> usize { 3 }\n}\npub fn free(x: u8) -> u8 { x + b'}' }\n",
          "rust"),
      (Names{"Words", "Words::next", "Words::size", "free"}));
  EXPECT_EQ(
      symbols(
          "#!/bin/sh\nset -e\n# says hello\nhello() {\n  echo \"} $1\"\n}\n\nfunction bye {\n  echo 'bye }'\n"
          "}\nhello world and everybody else who may listen\n",
          "shell"),
      (Names{"hello", "bye"}));
  EXPECT_EQ(
      symbols(
          "public class Shop {\n  private final int size = 3;\n  public int price(String name) throws Bad {\n"
          "    if (size > 2) { return 1; }\n    return 2;\n  }\n}\n",
          "java"),
      (Names{"Shop", "Shop::price"}));
}

TEST(CodeSplitter, NothingIsLostAndLinesAreRight) {
  for (const std::size_t limit : {64u, 100u, 300u, 5000u}) {
    std::size_t last = 0, letters = 0;
    for (const CodePiece& p : split_code(kCpp, CodeSyntax::kBraces, {limit})) {
      EXPECT_GE(p.first_line, last == 0 ? 1 : last);
      EXPECT_GE(p.last_line, p.first_line);
      last = p.last_line;
      letters += static_cast<std::size_t>(
          std::count_if(p.text.begin(), p.text.end(), [](char c) { return std::isalpha(c); }));
    }
    EXPECT_GE(letters + 60, static_cast<std::size_t>(std::count_if(kCpp.begin(), kCpp.end(),
                                                                   [](char c) { return std::isalpha(c); })));
  }
}

TEST(CodeSplitter, AnyBytesAreCutWithoutHarm) {
  std::mt19937 random(5);
  const std::string alphabet = "{}()[];:'\"`/\\#\n\n  ab=<>*\x80\xff@,_";
  for (int i = 0; i < 3000; ++i) {
    std::string text(i % 7 == 0 ? std::string(kCpp) : std::string());
    const std::size_t n = random() % 400;
    for (std::size_t k = 0; k < n; ++k)
      text.insert(text.empty() ? 0 : random() % text.size(), 1, alphabet[random() % alphabet.size()]);
    for (const CodeSyntax syntax : {CodeSyntax::kNone, CodeSyntax::kBraces, CodeSyntax::kScript,
                                    CodeSyntax::kIndent, CodeSyntax::kShell}) {
      EXPECT_EQ(mask_code(text, syntax).size(), text.size());
      for (const CodePiece& p : split_code(text, syntax, {64})) EXPECT_FALSE(p.text.empty());
    }
  }
  EXPECT_FALSE(
      split_code("class A" + std::string(200000, '{'), CodeSyntax::kBraces).empty());  // nesting ends
}

TEST(CodeSplitter, WordsOfIdentifiers) {
  EXPECT_EQ(identifier_words("kernels/ThreadPool::parallel_for"), "kernels thread pool parallel for");
  EXPECT_EQ(identifier_words("__init__.py"), "init py");
}

}  // namespace
}  // namespace consort
