#include "agents/calls/pictures.h"

#include <utility>

namespace consort {
namespace {

Status read_picture(BlobStore& blobs, const Picture& picture, std::vector<ModelInput>& inputs,
                    std::vector<StoreWrite>& writes) {
  CONSORT_TRY(blob, blobs.get(picture.handle));
  CONSORT_TRY(kept, blobs.kept_write(picture.handle));
  ModelInput input;
  input.kind = InputKind::kImage;
  input.bytes = blob.bytes;
  input.name = blob.name;
  inputs.push_back(std::move(input));
  for (StoreWrite& write : kept) writes.push_back(std::move(write));
  return {};
}

void fill(Picture& picture, ProjectedItem projected, const std::string& model_digest) {
  NewItem& item = picture.item;
  if (item.text.empty()) item.text = picture_text(projected.labels);
  item.embedding = std::move(projected.vector);
  if (item.provenance.model_digest.empty()) item.provenance.model_digest = model_digest;
  const auto add = [&](const char* key, MetadataValue value) {
    item.metadata.try_emplace(key, std::move(value));
  };
  add("blob", picture.handle.get("$blob").as_string());
  add("mediaType", picture.handle.get("mediaType").as_string());
  for (const char* key : {"width", "height"})
    if (const Value* n = picture.handle.find(key); n != nullptr && n->is_integer()) add(key, n->as_integer());
  std::vector<std::string> labels;
  for (const LabelScore& label : projected.labels)
    if (item.text.find(label.label) != std::string::npos) labels.push_back(label.label);
  if (!labels.empty()) add("labels", std::move(labels));
}

}  // namespace

Async<DescribedPictures> describe_pictures(Projector& projector, BlobStore& blobs,
                                           std::vector<Picture> pictures, RequestContext context) {
  DescribedPictures out;
  std::vector<ModelInput> inputs;
  for (const Picture& picture : pictures)
    if (Status read = read_picture(blobs, picture, inputs, out.writes); !read) co_return forward_error(read);
  auto projecting = projector.project(std::move(inputs), std::move(context));
  auto projected = co_await std::move(projecting);
  if (!projected) co_return forward_error(projected);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    ProjectedItem& item = projected->items[i];
    if (item.error)
      pictures[i].error = std::move(item.error);
    else
      fill(pictures[i], std::move(item), projected->model_digest);
  }
  out.space = projected->space;
  out.usage = projected->usage;
  out.pictures = std::move(pictures);
  co_return out;
}

ProjectionOptions read_projection(const Value& pictures, std::string encoder) {
  ProjectionOptions out;
  out.encoder = std::move(encoder);
  if (const Value* strategy = pictures.find("strategy")) out.strategy = strategy->as_string();
  if (const Value* model = pictures.find("model")) out.vision = model->as_string();
  if (const Value* top = pictures.find("topK")) out.top = static_cast<int>(top->as_integer());
  if (out.strategy == "joint" && pictures.find("model") == nullptr) out.vision = out.encoder;
  return out;
}

}  // namespace consort
