#include "models/catalogue/catalogue.h"

#include <gtest/gtest.h>

#include "models/catalogue/digest.h"
#include "models/formats/testing/synthetic_files.h"

namespace consort {
namespace {

using testing::TemporaryFolder;

const std::string kDigest(64, 'a');

std::string file_json(const std::string& more = "") {
  return R"({"name":"w.gguf","role":"weights","bytes":3,"sha256":")" + kDigest +
         R"(","sources":[{"kind":"pypi","wheel":"p-1-py3-none-any.whl","member":"p/w.gguf"}])" + more + "}";
}
std::string model_json(const std::string& file, const std::string& more = "") {
  return R"({"wheels":{"p-1-py3-none-any.whl":{"package":"p","version":"1","sha256":")" + kDigest +
         R"("}},"models":[{"id":"m","kind":"text-generator","architecture":"llama","licence":"MIT","mainFile":"w.gguf",)" +
         R"("files":[)" + file + "]" + more + "}]}";
}

Result<Catalogue> load(const TemporaryFolder& folder, const std::string& text) {
  return Catalogue::load(folder.file("models.json", text), folder.path() + "/models", folder.path());
}
Error error_of(const std::string& text) {
  TemporaryFolder folder;
  auto catalogue = load(folder, text);
  EXPECT_FALSE(catalogue.has_value()) << text;
  return catalogue ? Error{} : catalogue.error();
}

TEST(Catalogue, TheShippedOneLoads) {
  const std::string project = CONSORT_SOURCE_DIR;
  auto catalogue = Catalogue::load(project + "/configs/models.json", "/nonexistent", project);
  ASSERT_TRUE(catalogue) << catalogue.error().line();
  for (const char* id : {"smollm2-135m-instruct", "gemma-3-270m", "all-minilm-l6-v2"}) {
    const CatalogueEntry* entry = catalogue->find(id);
    ASSERT_NE(entry, nullptr) << id;
    EXPECT_FALSE(catalogue->present(*entry));
    EXPECT_NE(catalogue->resolve(id).error().hint.find(std::string("consort models pull ") + id),
              std::string::npos);
  }
  const CatalogueEntry& gemma = *catalogue->find("gemma-3-270m");
  EXPECT_EQ(gemma.files.front().parts.size(), 4u);
  EXPECT_EQ(gemma.licence_key, "gemma");
  const auto refused = catalogue->pull(gemma, false, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().line().find("CONSORT_ACCEPT_LICENCES=gemma"), std::string::npos);
  EXPECT_NE(refused.error().line().find(gemma.terms), std::string::npos);
}

TEST(Catalogue, FindingsNameTheirPlace) {
  const auto where = [](const std::string& text) {
    const Error e = error_of(text);
    EXPECT_EQ(e.kind, ErrorKind::kInvalid) << e.line();
    return e.where.substr(std::min(e.where.find('#') + 1, e.where.size()));
  };
  EXPECT_EQ(where(model_json(file_json(), R"(,"x":1)")), "/models/0/x");
  EXPECT_EQ(where(model_json(file_json(R"(,"a/b":1)"))), "/models/0/files/0/a~1b");
  EXPECT_EQ(where(model_json("3")), "/models/0/files/0");
  EXPECT_EQ(where(model_json(R"({"name":"../w","role":"r","bytes":1,"sha256":"","sources":[]})")),
            "/models/0/files/0/name");
  EXPECT_EQ(where(model_json(R"({"name":"w","role":"r","bytes":1,"sha256":"AB","sources":[]})")),
            "/models/0/files/0/sha256");
  EXPECT_EQ(
      where(model_json(R"({"name":"w","role":"r","bytes":-1,"sha256":")" + kDigest + R"(","sources":[]})")),
      "/models/0/files/0/bytes");
  EXPECT_EQ(where(model_json(R"({"name":"w","role":"r","bytes":1,"sha256":")" + kDigest +
                             R"(","sources":[{"kind":"url","url":"http://x"}]})")),
            "/models/0/files/0/sources/0/url");
  EXPECT_EQ(where(model_json(R"({"name":"w","role":"r","bytes":1,"sha256":")" + kDigest +
                             R"(","sources":[{"kind":"pypi","wheel":"no.whl","member":"x"}]})")),
            "/models/0/files/0/sources/0/wheel");
  error_of("{");
  error_of(R"({"wheels":{},"wheels":{},"models":[]})");
  std::string option = model_json(file_json());
  option.replace(option.find(R"("package":"p")"), 13, R"("package":"-r/x")");
  EXPECT_EQ(where(option), "/wheels/p-1-py3-none-any.whl/package");
}

TEST(Catalogue, ResolvesIdsAndPaths) {
  TemporaryFolder folder;
  auto catalogue = load(folder, model_json(file_json()));
  ASSERT_TRUE(catalogue) << catalogue.error().line();
  EXPECT_EQ(catalogue->resolve("m").error().kind, ErrorKind::kNotFound);
  std::filesystem::create_directories(folder.path() + "/models/m");
  folder.file("models/m/w.gguf", "abc");
  EXPECT_EQ(catalogue->resolve("m").value(), folder.path() + "/models/m/w.gguf");
  folder.file("models/m/w.gguf", "abcd");  // another size: not whole
  EXPECT_EQ(catalogue->resolve("m").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(catalogue->resolve(folder.path()).value(), folder.path());
  const Error unknown = catalogue->resolve("no-such-model").error();
  EXPECT_EQ(unknown.kind, ErrorKind::kNotFound);
  EXPECT_NE(unknown.hint.find("m;"), std::string::npos);
}

TEST(Catalogue, VerifyNamesWhatIsMissingOrDamaged) {
  TemporaryFolder folder;
  auto catalogue = load(folder, model_json(file_json()));
  ASSERT_TRUE(catalogue);
  const auto verify = [&] { return catalogue->verify(*catalogue->find("m"), {}); };
  EXPECT_EQ(verify().error().kind, ErrorKind::kNotFound);
  std::filesystem::create_directories(folder.path() + "/models/m");
  folder.file("models/m/w.gguf", "abc");
  EXPECT_EQ(verify().error().kind, ErrorKind::kCorrupt);
  EXPECT_NE(verify().error().what.find("w.gguf"), std::string::npos);
}

TEST(Digest, AgreesWithThePublishedVector) {  // FIPS 180-2, appendix B.1
  TemporaryFolder folder;
  EXPECT_EQ(sha256_file(folder.file("f", "abc")).value(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_file(folder.path() + "/none").error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace consort
