#include "protocols/cli/run_media.h"

#include <string>
#include <string_view>

#include "memory/base/text.h"
#include "models/chem/chem.h"

namespace consort {
namespace {

constexpr std::size_t kMostImageBytes = std::size_t{8} << 20;
constexpr std::size_t kMostTextBytes = std::size_t{64} << 10;  // the page shows 40 lines
constexpr std::size_t kMostSmiles = 500;                       // longer ones do not fit a card

std::string data_uri(std::string_view media_type, std::string_view bytes) {
  return "data:" + std::string(media_type) + ";base64," + base64(bytes);
}

std::string trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(kBlank) - first + 1));
}

// A member of this name, or a file of this kind, holds a molecule. Other texts are never tried: many words
// are valid SMILES ("CCO", "Who" is not, "COC" is).
bool names_a_molecule(std::string_view key, std::string_view file) {
  for (const std::string_view word : {"molecule", "smiles"})
    if (key.find(word) != std::string_view::npos) return true;
  return file.ends_with(".smi") || file.ends_with(".smiles");
}

struct Media {
  Value::Object images, texts, drawings;

  void draw(const std::string& smiles) {
    if (smiles.empty() || smiles.size() > kMostSmiles) return;
    const auto light = draw_molecule_svg(smiles), dark = draw_molecule_svg(smiles, {.dark = true});
    if (!light || !dark) return;
    drawings.emplace_back(smiles, Value::object({{"light", data_uri("image/svg+xml", *light)},
                                                 {"dark", data_uri("image/svg+xml", *dark)}}));
  }

  void add_blob(std::string_view key, const Value& handle, BlobStore& blobs) {
    const auto blob = blobs.get(handle);
    if (!blob) return;
    const std::string_view bytes = blob->bytes.text();
    if (blob->media_type.starts_with("image/")) {
      if (bytes.size() <= kMostImageBytes)
        images.emplace_back(blob->digest, data_uri(blob->media_type, bytes));
    } else if (blob->media_type.starts_with("text/") || blob->media_type == "application/json") {
      if (bytes.size() > kMostTextBytes) return;
      texts.emplace_back(blob->digest, std::string(bytes));
      if (names_a_molecule(key, blob->name)) draw(trimmed(bytes));
    }
  }
};

}  // namespace

Value run_media(const Value& input, BlobStore& blobs) {
  Media media;
  if (input.is_object()) {
    for (const auto& [key, value] : input.as_object()) {
      if (is_blob_handle(value)) {
        media.add_blob(key, value, blobs);
      } else if (value.is_string() && names_a_molecule(key, "")) {
        media.draw(trimmed(value.as_string()));
      }
    }
  }
  return Value::object({{"images", Value::object(std::move(media.images))},
                        {"texts", Value::object(std::move(media.texts))},
                        {"drawings", Value::object(std::move(media.drawings))}});
}

}  // namespace consort
