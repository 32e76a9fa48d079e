#include "protocols/cli/trace_page.h"

#include <gtest/gtest.h>

#include "models/chem/chem.h"
#include "protocols/cli/run_media.h"

namespace consort {
namespace {

TEST(TracePage, HoldsTheDataAndNoMarkupFromModels) {
  const Value trace = Value::object({{"run_id", "r1"}, {"spans", Value::array()}});
  const Value report = Value::object({{"output", "</script><script>alert(1)</script><!--"}});
  const std::string page = trace_page(trace, report);
  EXPECT_EQ(page.find("__CONSORT_DATA__"), std::string::npos);
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_NE(page.find("\\u003c/script>\\u003cscript>alert(1)"), std::string::npos);
  EXPECT_NE(page.find("\"run_id\":\"r1\""), std::string::npos);
}

TEST(RunMedia, PicturesTextsAndMoleculesOfTheInput) {
  auto blobs = BlobStore::open(nullptr);
  ASSERT_TRUE(blobs.has_value());
  const auto handle = [&](std::string bytes, std::string name) {
    return *(*blobs)->put(*make_blob(SharedBytes::of(std::move(bytes)), std::move(name)));
  };
  const std::string png("\x89PNG\r\n\x1a\n", 8);
  const Value photo = handle(png, "photo.png"), source = handle("int main() {}\n", "a.cpp");
  const Value gone = Value::object({{"$blob", std::string(64, '0')}});
  const Value media = run_media(Value::object({{"photo", photo},
                                               {"source", source},
                                               {"gone", gone},
                                               {"molecule", " CCO\n"},
                                               {"question", "CCO"},
                                               {"smiles", "no molecule"}}),
                                **blobs);
  EXPECT_EQ(media.get("images").get(photo.get("$blob").as_string()).as_string(),
            "data:image/png;base64,iVBORw0KGgo=");
  EXPECT_EQ(media.get("texts").get(source.get("$blob").as_string()).as_string(), "int main() {}\n");
  ASSERT_EQ(media.get("drawings").as_object().size(), chemistry_version() ? 1U : 0U);
  if (chemistry_version())
    EXPECT_TRUE(
        media.get("drawings").get("CCO").get("dark").as_string().starts_with("data:image/svg+xml;base64,"));
  EXPECT_TRUE(run_media(Value(), **blobs).get("images").as_object().empty());
}

}  // namespace
}  // namespace consort
