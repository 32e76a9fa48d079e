#include "scheduler/workflow/workflow.h"

#include <openssl/evp.h>

#include <array>

#include "scheduler/workflow/parser.h"

namespace consort {
namespace workflow {
namespace {

// Hashes of the sub-workflows in document order: a run pins them with its own document.
void collect_hashes(const Block& block, std::string& hashes) {
  for (const Task& task : block.tasks) {
    if (const auto* act = std::get_if<RunTask>(&task.act); act && act->workflow)
      hashes += "\n" + act->workflow->hash();
    if (const auto* act = std::get_if<DoTask>(&task.act)) collect_hashes(act->block, hashes);
    if (const auto* act = std::get_if<ForTask>(&task.act)) collect_hashes(act->block, hashes);
    if (const auto* act = std::get_if<ForkTask>(&task.act))
      for (const Block& branch : act->branches) collect_hashes(branch, hashes);
    if (const auto* act = std::get_if<TryTask>(&task.act)) {
      collect_hashes(act->block, hashes);
      if (act->handler) collect_hashes(*act->handler, hashes);
    }
  }
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &length, EVP_sha256(), nullptr) != 1) return {};
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) {
    hex.push_back(kDigits[digest[i] >> 4]);
    hex.push_back(kDigits[digest[i] & 15]);
  }
  return hex;
}

std::uint64_t mix_seed(std::uint64_t a, std::uint64_t b) {
  std::uint64_t z = a ^ (b + 0x9e3779b97f4a7c15ull + (a << 6) + (a >> 2));
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

std::uint64_t stable_hash(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (unsigned char c : bytes) hash = (hash ^ c) * 0x100000001b3ull;
  return mix_seed(hash, bytes.size());
}

}  // namespace workflow

using namespace workflow;

Workflow::Workflow(std::unique_ptr<const Document> document) : document_(std::move(document)) {}
Workflow::~Workflow() = default;
const std::string& Workflow::space() const {
  return document_->space;
}
const std::string& Workflow::name() const {
  return document_->name;
}
const std::string& Workflow::version() const {
  return document_->version;
}
const std::string& Workflow::hash() const {
  return document_->hash;
}
const Value& Workflow::source() const {
  return document_->source;
}
const Value& Workflow::agents() const {
  return document_->agents;
}

WorkflowParse Workflow::parse(const Value& document, const CallKinds& kinds, WorkflowSource* source) {
  WorkflowParse parse;
  auto typed = std::make_unique<Document>();
  Parser(kinds, source, parse.findings, *typed).parse(document);
  if (!parse.findings.empty()) return parse;
  std::string hashed = write_json(document);
  collect_hashes(typed->block, hashed);
  typed->hash = sha256_hex(hashed);
  parse.workflow = std::make_shared<const Workflow>(std::move(typed));
  return parse;
}

}  // namespace consort
