#include "scheduler/host/input_kind.h"

#include <algorithm>
#include <string_view>

#include "scheduler/value/utf8.h"

namespace consort {
namespace {

bool is_text_kind(InputKind kind) {
  return kind == InputKind::kText || kind == InputKind::kMolecule;
}

bool begins_with_brace(std::string_view text) {
  const std::size_t at = text.find_first_not_of(" \t\r\n");
  return at != std::string_view::npos && text[at] == '{';
}

InputKind kind_of_bytes(const NetworkInfo& info, const SharedBytes& bytes) {
  if (takes(info, InputKind::kImage) && looks_like_picture(bytes.view)) return InputKind::kImage;
  if (takes(info, InputKind::kFile)) return InputKind::kFile;
  if (takes(info, InputKind::kGraph) && begins_with_brace(bytes.text())) return InputKind::kGraph;
  for (const InputKind kind : {InputKind::kText, InputKind::kMolecule})
    if (takes(info, kind) && utf8::valid(bytes.text())) return kind;
  return info.inputs.empty() ? InputKind::kFile : info.inputs.front();
}

InputKind kind_of_text(const NetworkInfo& info) {
  for (const InputKind kind : {InputKind::kText, InputKind::kMolecule, InputKind::kFile, InputKind::kGraph})
    if (takes(info, kind)) return kind;
  return InputKind::kText;
}

}  // namespace

bool takes(const NetworkInfo& info, InputKind kind) {
  return std::find(info.inputs.begin(), info.inputs.end(), kind) != info.inputs.end();
}

bool looks_like_picture(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  constexpr std::string_view kRiff = "RIFF", kWebp = "WEBP";
  return text.starts_with("\x89PNG\r\n\x1a\n") || text.starts_with("\xFF\xD8\xFF") ||
         text.starts_with("GIF8") || text.starts_with("BM") || text.starts_with("II*") ||
         text.starts_with("MM") ||
         (text.starts_with(kRiff) && text.size() >= 12 && text.substr(8, 4) == kWebp);
}

void settle_kind(const NetworkInfo& info, ModelInput& item) {
  if (!item.kind) item.kind = item.bytes ? kind_of_bytes(info, *item.bytes) : kind_of_text(info);
  if (is_text_kind(*item.kind)) {
    if (!item.bytes) return;
    item.text = std::string(item.bytes->text());
    item.bytes.reset();
    if (*item.kind == InputKind::kMolecule)  // a file's last line end is no part of the molecule
      item.text.erase(item.text.find_last_not_of(" \t\r\n") + 1);
  } else if (*item.kind != InputKind::kPair && !item.bytes) {
    item.bytes = SharedBytes::of(std::move(item.text));
    item.text.clear();
  }
}

}  // namespace consort
