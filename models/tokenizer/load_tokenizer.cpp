#include <filesystem>

#include "models/tokenizer/clip_bpe.h"
#include "models/tokenizer/gguf_tokenizer.h"
#include "models/tokenizer/tokenizer.h"
#include "models/tokenizer/unigram.h"
#include "models/tokenizer/wordpiece.h"

namespace consort {

Result<std::unique_ptr<Tokenizer>> load_tokenizer(const WeightSource& source) {
  if (source.meta("tokenizer.ggml.model") == nullptr && source.format().rfind("gguf", 0) != 0) {
    std::filesystem::path folder(source.location());
    std::error_code error;
    if (!std::filesystem::is_directory(folder, error)) folder = folder.parent_path();
    if (source.architecture() == "clip") return load_clip_bpe(folder.string());
    if (source.architecture() != "bert" && is_unigram_folder(folder.string()))
      return load_unigram(folder.string());
    if (std::filesystem::exists(folder / "spiece.model", error) &&
        !std::filesystem::exists(folder / "tokenizer.json", error))
      return fail(ErrorKind::kNotFound, "no tokenizer that this build reads",
                  folder.string() + "/spiece.model",
                  "put the model's tokenizer.json beside it; pictures can be embedded without");
    return load_wordpiece(folder.string());
  }
  CONSORT_TRY(vocabulary, GgufVocabulary::read(source));
  if (vocabulary.model == "gpt2") return load_byte_bpe(source, vocabulary);
  if (vocabulary.model == "llama") return load_sentencepiece_bpe(source, vocabulary);
  return fail(ErrorKind::kUnsupported, "unknown tokenizer model '" + vocabulary.model + "'",
              source.location() + ", key tokenizer.ggml.model",
              "supported: gpt2 (byte-level BPE), llama (SentencePiece BPE)");
}

}  // namespace consort
