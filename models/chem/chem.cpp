#include "models/chem/chem.h"

#include <dlfcn.h>
#include <pthread.h>

#include <cstdlib>
#include <filesystem>
#include <functional>

#include "models/chem/chem_abi.h"

namespace consort {
namespace {

constexpr const char* kLibraryName = "libconsort_chem.so";
constexpr std::size_t kOwnStackBytes = 1000;  // longer texts are read on a thread with a deep stack
constexpr std::size_t kDeepStack = std::size_t{256} << 20;  // addresses only; RDKit descends atom by atom

// Beside the program, in the folders above it (build trees), or in ../lib of an installation.
std::vector<std::filesystem::path> candidates() {
  if (const char* named = std::getenv("CONSORT_CHEM_LIBRARY")) return {named};
  std::vector<std::filesystem::path> paths;
  std::error_code error;
  std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  paths.push_back(folder.parent_path() / "lib" / kLibraryName);
  constexpr int kLevels = 4;
  for (int level = 0; level < kLevels && !folder.empty(); ++level, folder = folder.parent_path())
    paths.push_back(folder / kLibraryName);
  return paths;
}

tl::unexpected<Error> no_chemistry(std::string why) {
  return fail(ErrorKind::kNotFound, "SMILES texts cannot be read: " + std::move(why), {},
              "install librdkit-dev and build again, or give the molecule as a JSON graph");
}

Result<const ConsortChemLibrary*> open_library() {
  for (const auto& path : candidates()) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) continue;
    void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return no_chemistry(::dlerror());
    const auto entry = reinterpret_cast<ConsortChemEntry>(::dlsym(handle, "consort_chem_library"));
    if (entry == nullptr) return no_chemistry(path.string() + " is another library");
    const ConsortChemLibrary* library = entry();
    if (library->abi != kConsortChemAbi)
      return no_chemistry(path.string() + " is of version " + std::to_string(library->abi) + ", this is " +
                          std::to_string(kConsortChemAbi));
    return library;
  }
  return no_chemistry(std::string(kLibraryName) + " is not beside the program");
}

// Opened once, never closed: RDKit keeps global tables.
const Result<const ConsortChemLibrary*>& library() {
  static const Result<const ConsortChemLibrary*> opened = open_library();
  return opened;
}

class Answer {
 public:
  explicit Answer(const ConsortChemLibrary& library) : library_(library) {}
  ~Answer() { library_.release(&answer_); }
  Answer(const Answer&) = delete;
  ConsortChemAnswer* get() { return &answer_; }
  const ConsortChemAnswer* operator->() const { return &answer_; }
  std::string detail() const {
    return answer_.detail.data == nullptr ? std::string()
                                          : std::string(answer_.detail.data, answer_.detail.size);
  }

 private:
  const ConsortChemLibrary& library_;
  ConsortChemAnswer answer_ = {};
};

Status status_of(const Answer& answer) {
  const std::string detail = answer.detail();
  const auto refuse = [&](const char* kind, const char* join) {
    return fail(ErrorKind::kInvalid, detail.empty() ? std::string(kind) : kind + (join + detail));
  };
  switch (answer->status) {
    case kConsortChemOk:
      return {};
    case kConsortChemInvalidSmiles:
      return refuse("invalid-smiles", ": ");
    case kConsortChemNoAtoms:
      return refuse("no-atoms", ": ");
    case kConsortChemUnsupportedAtom:
      return refuse("unsupported-atom", ":");
    case kConsortChemUnsupportedBond:
      return refuse("unsupported-bond", ":");
    case kConsortChemUnsupportedChirality:
      return refuse("unsupported-chirality", ":");
    case kConsortChemTooLarge:
      return refuse("too-large", ": ");
    case kConsortChemNoMemory:
      return fail(ErrorKind::kMemory, "no memory for a molecule");
    default:
      return refuse("invalid-smiles: RDKit failed", ": ");
  }
}

Status check_text(std::string_view smiles) {
  if (smiles.size() > kMostSmilesBytes)
    return fail(ErrorKind::kInvalid, "too-large: a SMILES text of " + std::to_string(smiles.size()) +
                                         " bytes, the limit is " + std::to_string(kMostSmilesBytes));
  if (smiles.find('\0') != std::string_view::npos)
    return fail(ErrorKind::kInvalid, "invalid-smiles: a zero byte in the text");
  return {};
}

// Runs `body` on a thread with a deep stack for long texts, here for short ones.
Status run_with_stack(std::size_t text_bytes, std::function<void()> body) {
  if (text_bytes <= kOwnStackBytes) {
    body();
    return {};
  }
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setstacksize(&attributes, kDeepStack);
  pthread_t thread;
  const int error = ::pthread_create(
      &thread, &attributes,
      [](void* context) -> void* {
        (*static_cast<std::function<void()>*>(context))();
        return nullptr;
      },
      &body);
  ::pthread_attr_destroy(&attributes);
  if (error != 0) return fail(ErrorKind::kMemory, "no thread for a large molecule");
  ::pthread_join(thread, nullptr);
  return {};
}

}  // namespace

Result<MoleculeGraph> parse_smiles(std::string_view smiles) {
  CONSORT_CHECK_OK(check_text(smiles));
  if (!library()) return tl::unexpected<Error>(library().error());
  const ConsortChemLibrary& chem = **library();
  Answer answer(chem);
  CONSORT_CHECK_OK(run_with_stack(
      smiles.size(), [&] { chem.parse(smiles.data(), smiles.size(), kMostAtoms, answer.get()); }));
  CONSORT_CHECK_OK(status_of(answer));
  const ConsortChemGraph& graph = answer->graph;
  MoleculeGraph molecule;
  molecule.atoms.reserve(graph.atoms);
  for (const std::int32_t* a = graph.atom_rows; a != graph.atom_rows + 2 * std::size_t{graph.atoms}; a += 2)
    molecule.atoms.push_back({a[0], a[1]});
  molecule.bonds.reserve(graph.bonds);
  for (const std::int32_t* b = graph.bond_rows; b != graph.bond_rows + 4 * std::size_t{graph.bonds}; b += 4)
    molecule.bonds.push_back({b[0], b[1], b[2], b[3]});
  return molecule;
}

Result<std::string> scaffold_of(std::string_view smiles) {
  CONSORT_CHECK_OK(check_text(smiles));
  if (!library()) return tl::unexpected<Error>(library().error());
  const ConsortChemLibrary& chem = **library();
  Answer answer(chem);
  CONSORT_CHECK_OK(run_with_stack(
      smiles.size(), [&] { chem.scaffold(smiles.data(), smiles.size(), kMostAtoms, answer.get()); }));
  CONSORT_CHECK_OK(status_of(answer));
  return std::string(answer->text.data, answer->text.size);
}

Result<std::string> draw_molecule_svg(std::string_view smiles, const DrawingOptions& options) {
  CONSORT_CHECK_OK(check_text(smiles));
  if (options.width < 50 || options.width > 2000 || options.height < 50 || options.height > 2000)
    return fail(ErrorKind::kInvalid, "a drawing is 50 to 2000 pixels wide and high");
  if (!library()) return tl::unexpected<Error>(library().error());
  const ConsortChemLibrary& chem = **library();
  Answer answer(chem);
  CONSORT_CHECK_OK(run_with_stack(smiles.size(), [&] {
    chem.draw_svg(smiles.data(), smiles.size(), kMostDrawnAtoms, options.width, options.height, options.dark,
                  answer.get());
  }));
  CONSORT_CHECK_OK(status_of(answer));
  return std::string(answer->text.data, answer->text.size);
}

Result<std::string> chemistry_version() {
  if (!library()) return tl::unexpected<Error>(library().error());
  return std::string("RDKit ") + (*library())->version;
}

}  // namespace consort
