// Reads CLIP's vocabulary from tokenizer.json, or from vocab.json and merges.txt. JSON stays inside this
// file.
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "models/formats/byte_reader.h"
#include "models/formats/json_check.h"
#include "models/formats/mapped_file.h"
#include "models/tokenizer/byte_alphabet.h"
#include "models/tokenizer/clip_bpe.h"

namespace consort {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxFileBytes = 64u << 20;  // CLIP's tokenizer.json: 3.6 MB
constexpr std::size_t kMaxTokens = 1u << 22;
constexpr std::string_view kWordEnd = "</w>", kBegin = "<|startoftext|>", kEnd = "<|endoftext|>";

struct Tables {
  std::vector<std::string> tokens;                          // by id
  std::vector<std::pair<std::string, std::string>> merges;  // by rank
};

[[noreturn]] void corrupt(const std::string& what) {
  throw FormatError(ErrorKind::kCorrupt, what);
}
[[noreturn]] void unsupported(const std::string& what) {
  throw FormatError(ErrorKind::kUnsupported, what, "", "supported: the byte-level BPE of CLIP");
}

std::string read(const std::string& path) {
  auto file = MappedFile::open(path);
  if (!file) throw FormatError(std::move(file.error()));
  if (file->size() > kMaxFileBytes) corrupt("far larger than such a file is");
  return {reinterpret_cast<const char*>(file->bytes().data()), file->size()};
}

Json read_json(const std::string& path) {
  const std::string text = read(path);
  check_json(text, 32, "the tokenizer");
  return Json::parse(text);
}

std::pair<std::string, std::string> pair_of(std::string_view line) {
  const std::size_t space = line.find(' ', 1);
  if (space == std::string_view::npos || space + 1 == line.size()) corrupt("a merge that is not a pair");
  return {std::string(line.substr(0, space)), std::string(line.substr(space + 1))};
}

void take_vocabulary(const Json& vocabulary, Tables& tables) {
  if (!vocabulary.is_object() || vocabulary.size() > kMaxTokens)
    corrupt("the vocabulary is not a table of tokens");
  tables.tokens.resize(vocabulary.size());
  std::vector<bool> seen(vocabulary.size(), false);
  for (const auto& [text, id] : vocabulary.items()) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= seen.size() || seen[id.get<std::size_t>()])
      corrupt("token ids are not 0, 1, 2, ...");
    seen[id.get<std::size_t>()] = true;
    tables.tokens[id.get<std::size_t>()] = text;
  }
}

Tables from_tokenizer_json(const std::string& path) {
  const Json root = read_json(path);
  const Json& model = root.at("model");
  if (model.at("type") != "BPE") unsupported("the tokenizer model " + model.at("type").dump());
  if (model.value("end_of_word_suffix", "") != kWordEnd)
    unsupported("a BPE whose words do not end with </w>");
  for (const auto& part : root.at("normalizer").value("normalizers", Json::array()))
    if (const auto type = part.at("type").get<std::string>();
        type != "NFC" && type != "Replace" && type != "Lowercase")
      unsupported("the normaliser " + printable(type));
  Tables tables;
  take_vocabulary(model.at("vocab"), tables);
  for (const Json& merge : model.at("merges")) {
    if (merge.is_string())
      tables.merges.push_back(pair_of(merge.get_ref<const std::string&>()));
    else
      tables.merges.emplace_back(merge.at(0).get<std::string>(), merge.at(1).get<std::string>());
  }
  return tables;
}

Tables from_two_files(const std::string& folder) {
  Tables tables;
  take_vocabulary(read_json(folder + "/vocab.json"), tables);
  const std::string text = read(folder + "/merges.txt");
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    if (!line.empty() && !line.starts_with("#version")) tables.merges.push_back(pair_of(line));
    at = end + 1;
  }
  return tables;
}

std::unique_ptr<Tokenizer> build(const Tables& tables) {
  const ByteAlphabet alphabet;
  std::map<std::string_view, TokenId> ids;
  TokenTable table;
  std::vector<TokenType> types(tables.tokens.size(), TokenType::kNormal);
  ClipBpe::ByteIds bytes;
  bytes.inside.fill(-1);
  bytes.last.fill(-1);
  TokenRoles roles;
  std::vector<SpecialMatcher::Entry> specials;
  std::string plain;
  for (std::size_t i = 0; i < tables.tokens.size(); ++i) {
    const std::string& token = tables.tokens[i];
    const auto id = static_cast<TokenId>(i);
    ids.emplace(token, id);
    if (token == kBegin || token == kEnd) {
      (token == kBegin ? roles.bos : roles.eos) = id;
      types[i] = TokenType::kControl;
      specials.push_back({token, id, true});
      table.add(token);
      continue;
    }
    const bool last = token.size() > kWordEnd.size() && token.ends_with(kWordEnd);
    const bool known = alphabet.decode(
        std::string_view(token).substr(0, token.size() - (last ? kWordEnd.size() : 0)), plain);
    if (known && plain.size() == 1)
      (last ? bytes.last : bytes.inside)[static_cast<unsigned char>(plain[0])] = id;
    table.add(known ? plain + (last ? " " : "") : token);
  }
  if (!roles.bos || !roles.eos) corrupt("the vocabulary has no <|startoftext|> and <|endoftext|>");
  roles.unknown = roles.eos;
  roles.adds_bos = roles.adds_eos = true;
  roles.end_of_generation = {*roles.eos};
  table.build(std::vector<bool>(tables.tokens.size(), true));
  MergeTable merges;
  merges.reserve(tables.merges.size());
  for (std::size_t rank = 0; rank < tables.merges.size(); ++rank) {
    const auto& [left, right] = tables.merges[rank];
    const auto a = ids.find(left), b = ids.find(right), made = ids.find(left + right);
    if (a == ids.end() || b == ids.end() || made == ids.end())
      corrupt("a merge of tokens that the vocabulary lacks");
    merges.add(a->second, b->second, static_cast<std::uint32_t>(rank), made->second);
  }
  return std::make_unique<ClipBpe>(std::move(table), std::move(types), SpecialMatcher(specials),
                                   std::move(roles), std::move(merges), bytes);
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> load_clip_bpe(const std::string& folder) {
  std::error_code error;
  const std::string one = folder + "/tokenizer.json";
  try {
    if (std::filesystem::exists(one, error)) return build(from_tokenizer_json(one));
    if (!std::filesystem::exists(folder + "/vocab.json", error) ||
        !std::filesystem::exists(folder + "/merges.txt", error))
      return fail(ErrorKind::kNotFound, "the folder has no tokenizer.json and no vocab.json with merges.txt",
                  folder);
    return build(from_two_files(folder));
  } catch (FormatError& e) {
    if (e.error.where.empty()) e.error.where = folder;
    return tl::unexpected<Error>(std::move(e.error));
  } catch (const Json::exception& e) {
    return fail(ErrorKind::kCorrupt, "the tokenizer is not the JSON expected", folder);
  }
}

}  // namespace consort
