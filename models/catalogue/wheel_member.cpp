#include "models/catalogue/wheel_member.h"

#include <zip.h>

#include <memory>
#include <vector>

namespace consort {
namespace {

struct CloseArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseMember {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

}  // namespace

Status read_wheel_member(const std::string& wheel, const std::string& member, std::uint64_t bytes,
                         const std::function<Status(const char*, std::size_t)>& sink) {
  const std::string where = wheel + ", member " + member;
  int code = 0;
  const std::unique_ptr<zip_t, CloseArchive> archive(zip_open(wheel.c_str(), ZIP_RDONLY, &code));
  if (!archive) return fail(ErrorKind::kCorrupt, "cannot read the package", wheel);
  zip_stat_t info;
  zip_stat_init(&info);
  if (zip_stat(archive.get(), member.c_str(), ZIP_FL_ENC_GUESS, &info) != 0)
    return fail(ErrorKind::kCorrupt, "the package has no such member", where);
  if (!(info.valid & ZIP_STAT_SIZE) || info.size != bytes)
    return fail(ErrorKind::kCorrupt, "the member has another size than the catalogue says", where);
  const std::unique_ptr<zip_file_t, CloseMember> file(zip_fopen_index(archive.get(), info.index, 0));
  if (!file) return fail(ErrorKind::kCorrupt, "cannot unpack the member", where);
  std::vector<char> buffer(1u << 20);
  std::uint64_t done = 0;
  for (;;) {
    const zip_int64_t n = zip_fread(file.get(), buffer.data(), buffer.size());
    if (n < 0 || done + static_cast<std::uint64_t>(n) > bytes)
      return fail(ErrorKind::kCorrupt, "the member is damaged", where);
    if (n == 0) break;
    done += static_cast<std::uint64_t>(n);
    CONSORT_CHECK_OK(sink(buffer.data(), static_cast<std::size_t>(n)));
  }
  if (done != bytes) return fail(ErrorKind::kCorrupt, "the member is cut short", where);
  return {};
}

}  // namespace consort
