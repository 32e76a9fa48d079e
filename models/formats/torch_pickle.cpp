#include "models/formats/torch_pickle.h"

#include <algorithm>
#include <map>
#include <new>

#include "models/formats/mapped_file.h"
#include "models/formats/metadata.h"
#include "models/formats/pickle.h"
#include "models/formats/stored_zip.h"

namespace consort {
namespace {

using Kind = PickleValue::Kind;

constexpr std::string_view kZipMagic{"PK\3\4", 4};

[[noreturn]] void corrupt(const std::string& what, const std::string& where = {}) {
  throw FormatError(ErrorKind::kCorrupt, what, where);
}

DType storage_dtype(std::string_view global) {
  static constexpr std::pair<std::string_view, DType> kTypes[] = {
      {"Float", DType::kF32}, {"Double", DType::kF64}, {"Half", DType::kF16},  {"BFloat16", DType::kBF16},
      {"Long", DType::kI64},  {"Int", DType::kI32},    {"Short", DType::kI16}, {"Char", DType::kI8},
      {"Byte", DType::kU8},   {"Bool", DType::kBool}};
  for (const auto& [name, type] : kTypes)
    if (global == "torch\n" + std::string(name) + "Storage") return type;
  corrupt("a storage without an element type");
}

struct Storage {
  DType dtype = DType::kF32;
  std::uint64_t count = 0;
  const std::byte* data = nullptr;
};

class TorchPickle final : public WeightSource {
 public:
  explicit TorchPickle(const std::string& path) {
    auto file = MappedFile::open(path);
    if (!file) throw FormatError(std::move(file.error()));
    file_ = std::move(*file);
    parse();
  }
  std::string format() const override { return archive_ ? "torch zip" : "torch pickle"; }
  std::string location() const override { return file_.path(); }
  std::string architecture() const override { return ""; }
  const MetaValue* meta(std::string_view key) const override { return metadata_.find(key); }
  std::vector<std::string> meta_keys() const override { return metadata_.keys(); }
  const TensorEntry* find(std::string_view name) const override { return tensors_.find(name); }
  const std::vector<TensorEntry>& tensors() const override { return tensors_.entries(); }
  std::size_t mapped_bytes() const override { return file_.size(); }
  std::vector<FileIdentity> identities() const override { return {file_.identity()}; }

 private:
  void parse() {
    const auto bytes = file_.bytes();
    archive_ = bytes.size() >= kZipMagic.size() &&
               std::memcmp(bytes.data(), kZipMagic.data(), kZipMagic.size()) == 0;
    archive_ ? parse_archive() : parse_legacy();
  }

  // Five pickles, then the storages.
  void parse_legacy() {
    ByteReader reader(file_.bytes());
    if (file_.size() < kTorchPickleMagic.size() ||
        reader.text(kTorchPickleMagic.size(), "the magic number") != kTorchPickleMagic)
      corrupt("this is not a checkpoint of torch");
    const Pickle version = Pickle::read(reader);
    if (version.root().kind != Kind::kInteger || version.root().integer != 1001)
      throw FormatError(ErrorKind::kUnsupported, "a checkpoint of another version than 1001");
    check_machine(Pickle::read(reader));
    const Pickle values = Pickle::read(reader);
    const Pickle keys = Pickle::read(reader);
    const PickleValue& state = state_dictionary(values);
    for (std::size_t i = 0; i < state.items.size(); i += 2) declare(values, state.items[i + 1]);
    read_storages(keys, reader);
    for (std::size_t i = 0; i < state.items.size(); i += 2) add(values, state.items[i], state.items[i + 1]);
  }

  // NAME/data.pkl and, for each storage, NAME/data/KEY.
  void parse_archive() {
    const std::vector<StoredEntry> entries = read_stored_zip(file_.bytes());
    constexpr std::string_view kPickle = "/data.pkl";
    const auto pickle = std::find_if(entries.begin(), entries.end(), [&](const StoredEntry& e) {
      return e.name.ends_with(kPickle) && e.name.find('/') == e.name.size() - kPickle.size();
    });
    if (pickle == entries.end()) throw FormatError(ErrorKind::kUnsupported, "a zip archive without data.pkl");
    const std::string root(pickle->name.substr(0, pickle->name.size() - kPickle.size() + 1));
    check_archive(entries, root);
    ByteReader reader(pickle->data);
    const Pickle values = Pickle::read(reader);
    if (reader.remaining() != 0) corrupt("bytes are left over behind the pickle");
    const PickleValue& state = state_dictionary(values);
    for (std::size_t i = 0; i < state.items.size(); i += 2) declare(values, state.items[i + 1]);
    for (const StoredEntry& entry : entries)
      if (entry.name.starts_with(root + "data/")) take_storage(entry, entry.name.substr(root.size() + 5));
    for (std::size_t i = 0; i < state.items.size(); i += 2) add(values, state.items[i], state.items[i + 1]);
  }

  static void check_archive(const std::vector<StoredEntry>& entries, const std::string& root) {
    for (const StoredEntry& entry : entries) {
      const std::string_view text(reinterpret_cast<const char*>(entry.data.data()), entry.data.size());
      if (entry.name == root + "constants.pkl" || entry.name.starts_with(root + "code/"))
        throw FormatError(ErrorKind::kUnsupported, "a TorchScript program", "",
                          "save the state dictionary: torch.save(model.state_dict(), path)");
      if (entry.name == root + "byteorder" && text != "little")
        throw FormatError(ErrorKind::kUnsupported, "a checkpoint with big-endian numbers");
      if (entry.name == root + "version" && text != "3\n" && text != "3" && text != "2\n" && text != "2")
        throw FormatError(ErrorKind::kUnsupported, "an archive of version " + printable(text.substr(0, 16)));
    }
  }

  // A storage that no tensor of the state dictionary names (an optimiser's) is passed over.
  void take_storage(const StoredEntry& entry, std::string_view key) {
    const auto it = storages_.find(std::string(key));
    if (it == storages_.end()) return;
    const std::string where = "storage " + printable(key);
    if (it->second.data != nullptr) corrupt("a storage stands twice in the archive", where);
    const std::size_t width = dtype_info(it->second.dtype).bytes;
    if (entry.data.size() % width != 0 || entry.data.size() / width != it->second.count)
      corrupt("a storage has another size than its tensors say", where);
    it->second.data = aligned({reinterpret_cast<const char*>(entry.data.data()), entry.data.size()}, width);
  }

  static void check_machine(const Pickle& info) {
    const PickleValue& dict = info.root();
    if (dict.kind != Kind::kDict) corrupt("no description of the machine that wrote the file");
    for (std::size_t i = 0; i < dict.items.size(); i += 2)
      if (info.at(dict.items[i]).text == "little_endian" && info.at(dict.items[i + 1]).integer != 1)
        throw FormatError(ErrorKind::kUnsupported, "a checkpoint with big-endian numbers");
  }

  static const PickleValue& state_dictionary(const Pickle& values) {
    const PickleValue* dict = &values.root();
    if (dict->kind != Kind::kDict) corrupt("the checkpoint is " + std::string(pickle_kind_name(dict->kind)));
    for (std::size_t i = 0; i < dict->items.size(); i += 2) {
      const std::string_view key = values.at(dict->items[i]).text;
      const PickleValue& value = values.at(dict->items[i + 1]);
      if ((key == "state_dict" || key == "model") && value.kind == Kind::kDict) return value;
    }
    return *dict;
  }

  // The storage of a tensor as its persistent id says: ("storage", type, key, location, count, view).
  void declare(const Pickle& values, std::uint32_t tensor) {
    if (values.at(tensor).kind != Kind::kTensor) return;
    const auto& arguments = values.at(tensor).items;
    if (arguments.size() < 4 || values.at(arguments[0]).kind != Kind::kPersistent)
      corrupt("a tensor without a storage");
    const auto& id = values.at(arguments[0]).items;
    if (id.size() < 5 || values.at(id[0]).text != "storage" || values.at(id[1]).kind != Kind::kGlobal ||
        values.at(id[2]).kind != Kind::kText || values.at(id[4]).kind != Kind::kInteger ||
        values.at(id[4]).integer < 0)
      corrupt("a storage that is not described as torch does");
    if (id.size() > 5 && values.at(id[5]).kind != Kind::kNone)
      throw FormatError(ErrorKind::kUnsupported, "a storage that is a part of another one");
    const Storage storage{storage_dtype(values.at(id[1]).text),
                          static_cast<std::uint64_t>(values.at(id[4]).integer), nullptr};
    const auto [place, fresh] = storages_.emplace(std::string(values.at(id[2]).text), storage);
    if (!fresh && (place->second.dtype != storage.dtype || place->second.count != storage.count))
      corrupt("a storage is described in two ways", "storage " + printable(place->first));
  }

  // The list of keys, then for each key its count and elements, up to the end of the file.
  void read_storages(const Pickle& keys, ByteReader& reader) {
    if (keys.root().kind != Kind::kList) corrupt("no list of storages");
    for (const std::uint32_t item : keys.root().items) {
      const auto it = storages_.find(std::string(keys.at(item).text));
      const std::string where = "storage " + printable(keys.at(item).text);
      if (it == storages_.end()) corrupt("a storage that no tensor names", where);
      if (it->second.data != nullptr) corrupt("a storage stands twice in the list", where);
      const auto count = reader.number<std::uint64_t>("a storage");
      if (count != it->second.count) corrupt("a storage has another size than its tensors say", where);
      const std::size_t width = dtype_info(it->second.dtype).bytes;
      reader.need(count, width, "a storage");
      it->second.data = aligned(reader.text(count * width, "a storage"), width);
    }
    if (reader.remaining() != 0) corrupt("bytes are left over behind the last storage");
  }

  // The bytes where they lie, or a copy where their element type needs an alignment that the file does not
  // give.
  const std::byte* aligned(std::string_view bytes, std::size_t alignment) {
    const auto* data = reinterpret_cast<const std::byte*>(bytes.data());
    if (reinterpret_cast<std::uintptr_t>(data) % alignment == 0) return data;
    std::vector<double>& copy =
        copies_.emplace_back((bytes.size() + sizeof(double) - 1) / sizeof(double) + 1);
    std::memcpy(copy.data(), bytes.data(), bytes.size());
    return reinterpret_cast<const std::byte*>(copy.data());
  }

  void add(const Pickle& values, std::uint32_t key, std::uint32_t item) {
    if (values.at(key).kind != Kind::kText) corrupt("a key that is not a text");
    const std::string name(values.at(key).text), where = "tensor " + printable(name);
    const PickleValue& value = values.at(item);
    if (value.kind != Kind::kTensor) return add_plain(name, value);
    const Storage& storage = storages_.at(std::string(values.at(values.at(value.items[0]).items[2]).text));
    if (storage.data == nullptr) corrupt("the tensor's storage is not in the file", where);
    const auto dims = integers(values, value.items[2], where),
               strides = integers(values, value.items[3], where);
    if (dims.size() > static_cast<std::size_t>(kMaxRank))
      throw FormatError(ErrorKind::kUnsupported, "a tensor of " + std::to_string(dims.size()) + " dimensions",
                        where);
    const PickleValue& offset = values.at(value.items[1]);
    if (offset.kind != Kind::kInteger || offset.integer < 0) corrupt("an impossible offset", where);
    const std::byte* data = place(storage, static_cast<std::uint64_t>(offset.integer), dims, strides, where);
    if (!tensors_.add({name, contiguous_view(data, storage.dtype, dims)}))
      corrupt("a tensor stands twice", where);
  }

  // Where a tensor's elements lie row by row: in the storage, or in a copy when its strides are others
  // (weights that were transposed).
  const std::byte* place(const Storage& storage, std::uint64_t offset, const std::vector<std::int64_t>& dims,
                         const std::vector<std::int64_t>& strides, const std::string& where) {
    if (strides.size() != dims.size()) corrupt("as many strides as dimensions are expected", where);
    std::uint64_t elements = 1, last = offset;
    bool contiguous = true;
    for (std::size_t i = dims.size(); i-- > 0;) {
      if (dims[i] < 0 || strides[i] < 0) corrupt("a negative dimension or stride", where);
      contiguous = contiguous && (dims[i] == 1 || static_cast<std::uint64_t>(strides[i]) == elements);
      std::uint64_t reach = 0;
      if (!checked_multiply(elements, static_cast<std::uint64_t>(dims[i]), elements) ||
          (dims[i] > 0 && !checked_multiply(static_cast<std::uint64_t>(dims[i] - 1),
                                            static_cast<std::uint64_t>(strides[i]), reach)) ||
          __builtin_add_overflow(last, reach, &last))
        corrupt("impossible dimensions", where);
    }
    // As many elements at most as the storage has: a stride of 0 could else make any number of a few.
    if (elements > storage.count || offset > storage.count || (elements > 0 && last >= storage.count))
      corrupt("the tensor reaches past its storage", where);
    const std::size_t width = dtype_info(storage.dtype).bytes;
    const std::byte* first = storage.data + offset * width;
    return contiguous || elements == 0 ? first : gathered(first, elements, width, dims, strides, where);
  }

  const std::byte* gathered(const std::byte* first, std::uint64_t elements, std::size_t width,
                            const std::vector<std::int64_t>& dims, const std::vector<std::int64_t>& strides,
                            const std::string& where) {
    copied_ += elements * width;
    if (copied_ > file_.size()) corrupt("transposed tensors are larger than the file", where);
    std::vector<double>& copy = copies_.emplace_back(elements * width / sizeof(double) + 1);
    auto* to = reinterpret_cast<std::byte*>(copy.data());
    std::vector<std::int64_t> at(dims.size(), 0);
    for (std::uint64_t n = 0; n < elements; ++n, to += width) {
      std::int64_t from = 0;
      for (std::size_t i = 0; i < dims.size(); ++i) from += at[i] * strides[i];
      std::memcpy(to, first + static_cast<std::size_t>(from) * width, width);
      for (std::size_t i = dims.size(); i-- > 0 && ++at[i] == dims[i];) at[i] = 0;
    }
    return reinterpret_cast<const std::byte*>(copy.data());
  }

  void add_plain(const std::string& name, const PickleValue& value) {
    MetaValue plain;
    if (value.kind == Kind::kNone) return;
    if (value.kind == Kind::kBool)
      plain.value = value.integer != 0;
    else if (value.kind == Kind::kInteger)
      plain.value = value.integer;
    else if (value.kind == Kind::kNumber)
      plain.value = value.number;
    else if (value.kind == Kind::kText)
      plain.value = std::string(value.text);
    else
      throw FormatError(ErrorKind::kUnsupported,
                        std::string(pickle_kind_name(value.kind)) + " among the tensors",
                        "key " + printable(name));
    if (!metadata_.add(name, std::move(plain))) corrupt("a key stands twice", "key " + printable(name));
  }

  static std::vector<std::int64_t> integers(const Pickle& values, std::uint32_t item,
                                            const std::string& where) {
    if (values.at(item).kind != Kind::kTuple) corrupt("dimensions that are not a tuple", where);
    std::vector<std::int64_t> numbers;
    for (const std::uint32_t i : values.at(item).items) {
      if (values.at(i).kind != Kind::kInteger) corrupt("dimensions that are not integers", where);
      numbers.push_back(values.at(i).integer);
    }
    return numbers;
  }

  MappedFile file_;
  bool archive_ = false;  // the layout since torch 1.6
  std::map<std::string, Storage> storages_;
  std::uint64_t copied_ = 0;                 // bytes of transposed tensors
  std::vector<std::vector<double>> copies_;  // double: aligned for every element type
  TensorTable tensors_;
  Metadata metadata_;
};

}  // namespace

Result<std::unique_ptr<WeightSource>> open_torch_pickle(const std::string& path) {
  try {
    return std::make_unique<TorchPickle>(path);
  } catch (FormatError& e) {
    e.error.where = e.error.where.empty() ? path : path + ", " + e.error.where;
    return tl::unexpected<Error>(std::move(e.error));
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::kMemory, "not enough memory for the file's index", path);
  }
}

}  // namespace consort
