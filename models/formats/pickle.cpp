#include "models/formats/pickle.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace consort {
namespace {

using Kind = PickleValue::Kind;

// Everything that a state dictionary of torch names. None of them is called: the first two become plain
// values, the others stand for element types.
constexpr std::string_view kOrderedDict = "collections\nOrderedDict";
constexpr std::string_view kRebuildTensor = "torch._utils\n_rebuild_tensor_v2";
constexpr std::array<std::string_view, 10> kStorages = {
    "torch\nFloatStorage", "torch\nDoubleStorage", "torch\nHalfStorage",  "torch\nBFloat16Storage",
    "torch\nLongStorage",  "torch\nIntStorage",    "torch\nShortStorage", "torch\nCharStorage",
    "torch\nByteStorage",  "torch\nBoolStorage"};

bool allowed(std::string_view global) {
  return global == kOrderedDict || global == kRebuildTensor ||
         std::find(kStorages.begin(), kStorages.end(), global) != kStorages.end();
}

enum Opcode : std::uint8_t {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinUnicode = 'X',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyTuple = ')',
  kEmptyList = ']',
  kEmptyDict = '}',
  kBinFloat = 'G',
  kProto = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
};

[[noreturn]] void corrupt(const std::string& what) {
  throw FormatError(ErrorKind::kCorrupt, "pickle: " + what);
}

}  // namespace

class PickleMachine {
 public:
  explicit PickleMachine(ByteReader& reader) : reader_(reader) {}

  Pickle run() {
    std::size_t steps = 0;
    while (true) {
      if (++steps > Pickle::kMaxSteps) corrupt("more steps than any state dictionary needs");
      const auto opcode = reader_.number<std::uint8_t>("a pickle");
      if (opcode == kStop) break;
      if (!number(opcode) && !container(opcode) && !memory(opcode) && !object(opcode))
        throw FormatError(ErrorKind::kUnsupported,
                          "pickle: opcode " + std::to_string(opcode) + " is not allowed", "",
                          "only state dictionaries of tensors are read; convert the file to safetensors");
    }
    if (stack_.size() != 1 || !marks_.empty()) corrupt("values are left over at its end");
    out_.root_ = stack_.back();
    return std::move(out_);
  }

 private:
  std::uint32_t make(Kind kind) {
    if (out_.values_.size() == Pickle::kMaxValues) corrupt("more values than any state dictionary needs");
    out_.values_.emplace_back().kind = kind;
    return static_cast<std::uint32_t>(out_.values_.size() - 1);
  }
  PickleValue& push(Kind kind) {
    stack_.push_back(make(kind));
    return out_.values_.back();
  }
  void push_integer(std::int64_t value, Kind kind = Kind::kInteger) { push(kind).integer = value; }
  std::uint32_t pop() {
    need(1);
    const std::uint32_t top = stack_.back();
    stack_.pop_back();
    return top;
  }
  // Values that are there above the last mark.
  void need(std::size_t n) const {
    if (stack_.size() - (marks_.empty() ? 0 : marks_.back()) < n) corrupt("its stack is empty");
  }
  std::span<const std::uint32_t> above_mark() {
    if (marks_.empty()) corrupt("a mark is missing");
    return std::span<const std::uint32_t>(stack_).subspan(marks_.back());
  }
  void drop_mark() {
    stack_.resize(marks_.back());
    marks_.pop_back();
  }
  PickleValue& top(Kind kind) {
    need(1);
    PickleValue& value = out_.values_[stack_.back()];
    if (value.kind != kind)
      corrupt("items go into " + std::string(pickle_kind_name(value.kind)) + " instead of " +
              std::string(pickle_kind_name(kind)));
    return value;
  }

  bool number(std::uint8_t opcode) {
    switch (opcode) {
      case kBinInt:
        push_integer(reader_.number<std::int32_t>("a pickle"));
        return true;
      case kBinInt1:
        push_integer(reader_.number<std::uint8_t>("a pickle"));
        return true;
      case kBinInt2:
        push_integer(reader_.number<std::uint16_t>("a pickle"));
        return true;
      case kLong1: {
        const std::string_view bytes = reader_.text(reader_.number<std::uint8_t>("a pickle"), "a pickle");
        if (bytes.size() > 8) corrupt("an integer of more than 64 bits");
        std::uint64_t value = !bytes.empty() && bytes.back() < 0 ? ~std::uint64_t{0} : 0;
        std::memcpy(&value, bytes.data(), bytes.size());
        push_integer(static_cast<std::int64_t>(value));
        return true;
      }
      case kBinFloat: {
        const std::uint64_t bits = __builtin_bswap64(reader_.number<std::uint64_t>("a pickle"));
        push(Kind::kNumber).number = std::bit_cast<double>(bits);
        return true;
      }
      case kNewTrue:
      case kNewFalse:
        push_integer(opcode == kNewTrue, Kind::kBool);
        return true;
      case kNone:
        push(Kind::kNone);
        return true;
      case kBinUnicode: {
        const auto length = reader_.number<std::uint32_t>("a pickle");
        push(Kind::kText).text = reader_.text(length, "a pickle's text");
        return true;
      }
      default:
        return false;
    }
  }

  void tuple(std::size_t n) {
    need(n);
    const std::uint32_t made = make(Kind::kTuple);
    out_.values_[made].items.assign(stack_.end() - static_cast<std::ptrdiff_t>(n), stack_.end());
    stack_.resize(stack_.size() - n);
    stack_.push_back(made);
  }
  // Appends what lies above the mark to the list or dictionary under it.
  void extend(Kind kind) {
    const std::span<const std::uint32_t> items = above_mark();
    if (kind == Kind::kDict && items.size() % 2 != 0) corrupt("a key without a value");
    const std::vector<std::uint32_t> moved(items.begin(), items.end());
    drop_mark();
    auto& target = top(kind).items;
    target.insert(target.end(), moved.begin(), moved.end());
  }

  bool container(std::uint8_t opcode) {
    switch (opcode) {
      case kMark:
        marks_.push_back(stack_.size());
        return true;
      case kEmptyTuple:
        push(Kind::kTuple);
        return true;
      case kEmptyList:
        push(Kind::kList);
        return true;
      case kEmptyDict:
        push(Kind::kDict);
        return true;
      case kTuple1:
      case kTuple2:
      case kTuple3:
        tuple(static_cast<std::size_t>(opcode - kTuple1 + 1));
        return true;
      case kTuple: {
        const std::uint32_t made = make(Kind::kTuple);
        const std::span<const std::uint32_t> items = above_mark();
        out_.values_[made].items.assign(items.begin(), items.end());
        drop_mark();
        stack_.push_back(made);
        return true;
      }
      case kAppend: {
        const std::uint32_t item = pop();
        top(Kind::kList).items.push_back(item);
        return true;
      }
      case kAppends:
        extend(Kind::kList);
        return true;
      case kSetItem: {
        const std::uint32_t value = pop(), key = pop();
        auto& items = top(Kind::kDict).items;
        items.push_back(key);
        items.push_back(value);
        return true;
      }
      case kSetItems:
        extend(Kind::kDict);
        return true;
      default:
        return false;
    }
  }

  void put(std::uint32_t place) {
    need(1);
    if (place >= Pickle::kMaxValues) corrupt("a memo number beyond any state dictionary's");
    if (memo_.size() <= place) memo_.resize(place + 1, kAbsent);
    memo_[place] = stack_.back();
  }
  void get(std::uint32_t place) {
    if (place >= memo_.size() || memo_[place] == kAbsent) corrupt("a memo number that was not set");
    stack_.push_back(memo_[place]);
  }
  bool memory(std::uint8_t opcode) {
    switch (opcode) {
      case kBinPut:
        put(reader_.number<std::uint8_t>("a pickle"));
        return true;
      case kLongBinPut:
        put(reader_.number<std::uint32_t>("a pickle"));
        return true;
      case kBinGet:
        get(reader_.number<std::uint8_t>("a pickle"));
        return true;
      case kLongBinGet:
        get(reader_.number<std::uint32_t>("a pickle"));
        return true;
      case kPop:
        pop();
        return true;
      case kProto:
        if (reader_.number<std::uint8_t>("a pickle") != 2)
          throw FormatError(ErrorKind::kUnsupported, "pickle: only protocol 2 is read");
        return true;
      default:
        return false;
    }
  }

  // "module\nname\n"
  void global() {
    constexpr std::size_t kLongest = 64;
    const char* begin = nullptr;
    std::size_t length = 0, lines = 0;
    while (lines < 2) {
      const std::string_view letter = reader_.text(1, "a pickle's global");
      if (begin == nullptr) begin = letter.data();
      ++length;
      lines += letter[0] == '\n';
      if (length > kLongest) corrupt("a global with a long name");
    }
    const std::string_view name(begin, length - 1);
    if (!allowed(name)) {
      std::string shown(name);
      std::replace(shown.begin(), shown.end(), '\n', '.');
      throw FormatError(ErrorKind::kUnsupported, "pickle: global " + printable(shown) + " is not allowed", "",
                        "only state dictionaries of tensors are read; convert the file to safetensors");
    }
    push(Kind::kGlobal).text = name;
  }
  void reduce() {
    const std::uint32_t arguments = pop(), function = pop();
    if (out_.values_[arguments].kind != Kind::kTuple || out_.values_[function].kind != Kind::kGlobal)
      corrupt("a call of something that is not a global");
    const std::string_view name = out_.values_[function].text;
    if (name == kOrderedDict) {
      if (!out_.values_[arguments].items.empty()) corrupt("an OrderedDict with arguments");
      push(Kind::kDict);
    } else if (name == kRebuildTensor) {
      const std::uint32_t made = make(Kind::kTensor);
      out_.values_[made].items = out_.values_[arguments].items;
      stack_.push_back(made);
    } else {
      corrupt("a call of a storage type");
    }
  }
  bool object(std::uint8_t opcode) {
    switch (opcode) {
      case kGlobal:
        global();
        return true;
      case kReduce:
        reduce();
        return true;
      case kBuild:  // attributes of a dictionary (torch keeps version numbers there): dropped
        pop();
        top(Kind::kDict);
        return true;
      case kBinPersId: {
        const std::uint32_t id = pop();
        if (out_.values_[id].kind != Kind::kTuple) corrupt("a persistent id that is not a tuple");
        const std::uint32_t made = make(Kind::kPersistent);
        out_.values_[made].items = out_.values_[id].items;
        stack_.push_back(made);
        return true;
      }
      default:
        return false;
    }
  }

  static constexpr std::uint32_t kAbsent = 0xffffffff;
  ByteReader& reader_;
  Pickle out_;
  std::vector<std::uint32_t> stack_, memo_;
  std::vector<std::size_t> marks_;
};

Pickle Pickle::read(ByteReader& reader) {
  return PickleMachine(reader).run();
}

std::string_view pickle_kind_name(PickleValue::Kind kind) {
  constexpr std::array<std::string_view, 11> kNames = {"None",     "a bool",    "an integer", "a number",
                                                       "a text",   "a tuple",   "a list",     "a dict",
                                                       "a global", "a storage", "a tensor"};
  return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace consort
