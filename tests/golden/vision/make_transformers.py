#!/usr/bin/env python3
"""Writes clip/, siglip/ and vit/ beside this file: small random models in the layout of Hugging Face, and what
transformers computes with them (expected.safetensors, texts.jsonl). Needs torch, transformers, safetensors, Pillow
(recorded with torch 2.15 CPU, transformers 5.23, Pillow 13.0). Pictures are prepared with Pillow alone, as the
published preprocessors do it."""
import json
import os
import shutil

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file
from transformers import (CLIPConfig, CLIPModel, CLIPTokenizer, SiglipConfig, SiglipModel, ViTConfig,
                          ViTForImageClassification)

HERE = os.path.dirname(os.path.abspath(__file__))
PHOTOS = ["photos/chelsea.png", "edge/wide-400x8.png", "edge/exif-6.jpg", "edge/palette.png"]
TEXTS = ["a photo of a cat", "A Photo Of A CAT!!", "", "it's 2026, they're here", "caf\u00e9 na\u00efve \u00dcBER \u0130stanbul",
         "\u0644\u0627 \u732b\u306e\u5199\u771f \U0001f431\U0001f408", "  many   spaces\tand\nlines ", "don't <|endoftext|> stop",
         "x" * 90, "e\u0301 combining", "100% of $5.00 = 5", "'s 't 're", "word " * 40]


def randomise(model, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.dim() == 0:
                continue
            noise = torch.randn(p.shape, generator=generator)
            norm = "norm" in name and name.endswith("weight")
            p.copy_(1 + 0.1 * noise if norm else noise * (0.1 if p.dim() > 1 else 0.05))
    return model.eval()


def pixels(path, size, short_side, resample, mean, std):
    image = Image.open(os.path.join(HERE, path))
    from PIL import ImageOps
    image = ImageOps.exif_transpose(image).convert("RGB")
    if short_side:
        w, h = image.size
        short, long = min(w, h), max(w, h)
        target = (size, size * long // short) if w <= h else (size * long // short, size)
        image = image.resize(target, resample)
        left, top = (target[0] - size) // 2, (target[1] - size) // 2
        image = image.crop((left, top, left + size, top + size))
    else:
        image = image.resize((size, size), resample)
    x = np.asarray(image, dtype=np.float32) * np.float32(1 / 255)
    return torch.from_numpy(((x - np.float32(mean)) / np.float32(std)).transpose(2, 0, 1).copy())


def bytes_to_unicode():
    keep = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    others = [b for b in range(256) if b not in keep]
    return [chr(b) for b in keep] + [chr(256 + i) for i in range(len(others))]


def tokenizer(folder):
    alphabet = bytes_to_unicode()
    merges = ["p h", "o t", "ph ot", "phot o</w>", "c a", "ca t</w>", "o f</w>", "t h", "th e", "the y</w>", "h e", "x x",
              "xx xx", "xxxx xxxx", "w or", "o r", "w o", "wo r", "wor d</w>", "s p", "sp a", "e r", "er e</w>", "' s</w>",
              "1 0", "\u00c3 \u00a9</w>", "\u00c3 \u00bc", "l i", "li n", "a n", "an d</w>"]
    vocab = alphabet + [c + "</w>" for c in alphabet] + ["".join(m.split()) for m in merges]
    vocab = list(dict.fromkeys(vocab)) + ["<|startoftext|>", "<|endoftext|>"]
    vocab = {t: i for i, t in enumerate(vocab)}
    known = [tuple(m.split()) for m in merges if all(p in vocab for p in m.split())]
    t = CLIPTokenizer(vocab=vocab, merges=known, model_max_length=24)
    t.save_pretrained(folder)
    # The older layout beside it; tests read both.
    with open(os.path.join(folder, "vocab.json"), "w") as f:
        json.dump(vocab, f, ensure_ascii=False)
    with open(os.path.join(folder, "merges.txt"), "w") as f:
        f.write("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in known))
    return t, vocab


def fresh(name):
    folder = os.path.join(HERE, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def write(folder, name, value):
    with open(os.path.join(folder, name), "w") as f:
        json.dump(value, f, indent=1)


def save(folder, tensors):
    save_file({k: np.ascontiguousarray(v.detach().numpy()) for k, v in tensors.items()},
              os.path.join(folder, "expected.safetensors"))


def clip():
    folder = fresh("clip")
    tok, vocab = tokenizer(folder)
    mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    config = CLIPConfig(
        text_config=dict(vocab_size=len(vocab), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
                         num_attention_heads=2, max_position_embeddings=24, bos_token_id=vocab["<|startoftext|>"],
                         eos_token_id=vocab["<|endoftext|>"], pad_token_id=vocab["<|endoftext|>"]),
        vision_config=dict(hidden_size=96, intermediate_size=160, num_hidden_layers=2, num_attention_heads=3,
                           image_size=48, patch_size=16), projection_dim=48)
    model = randomise(CLIPModel(config), 1)
    model.save_pretrained(folder)
    write(folder, "preprocessor_config.json", dict(
        do_resize=True, size={"shortest_edge": 48}, resample=3, do_center_crop=True, crop_size={"height": 48, "width": 48},
        do_rescale=True, rescale_factor=1 / 255, do_normalize=True, image_mean=mean, image_std=std))
    ids = [tok(t, truncation=True, max_length=24)["input_ids"] for t in TEXTS]
    with open(os.path.join(folder, "texts.jsonl"), "w") as f:
        for text, i in zip(TEXTS, ids):
            f.write(json.dumps({"text": text, "ids": i}) + "\n")
    images = torch.stack([pixels(p, 48, True, Image.BICUBIC, mean, std) for p in PHOTOS])
    text_embeds, hidden = [], None
    with torch.no_grad():
        for n, i in enumerate(ids):
            out = model.text_model(input_ids=torch.tensor([i]), output_hidden_states=True)
            e = model.text_projection(out.pooler_output)
            text_embeds.append(e / e.norm(dim=-1, keepdim=True))
            if n == 0:
                hidden = out.hidden_states
        vision = model.vision_model(pixel_values=images, output_hidden_states=True)
        e = model.visual_projection(vision.pooler_output)
        image_embeds = e / e.norm(dim=-1, keepdim=True)
        text_embeds = torch.cat(text_embeds)
        logits = model.logit_scale.exp() * image_embeds @ text_embeds.T
        whole = model(input_ids=torch.tensor([ids[0]]), pixel_values=images)
        assert torch.allclose(whole.logits_per_image[:, 0], logits[:, 0], atol=1e-4)
    tensors = {"image_embeds": image_embeds, "text_embeds": text_embeds, "logits_per_image": logits}
    for i, h in enumerate(vision.hidden_states):
        tensors[f"vision.hidden{i}"] = h[0]
    for i, h in enumerate(hidden):
        tensors[f"text.hidden{i}"] = h[0]
    save(folder, tensors)


def siglip():
    folder = fresh("siglip")
    config = SiglipConfig(
        text_config=dict(vocab_size=100, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2,
                         max_position_embeddings=16, bos_token_id=2, eos_token_id=1, pad_token_id=1),
        vision_config=dict(hidden_size=64, intermediate_size=160, num_hidden_layers=2, num_attention_heads=2, image_size=48,
                           patch_size=16))
    model = randomise(SiglipModel(config), 2)
    with torch.no_grad():
        model.logit_scale.fill_(1.5)
        model.logit_bias.fill_(-2.0)
    model.save_pretrained(folder)
    write(folder, "preprocessor_config.json", dict(
        do_resize=True, size={"height": 48, "width": 48}, resample=3, do_rescale=True, rescale_factor=1 / 255,
        do_normalize=True, image_mean=[0.5] * 3, image_std=[0.5] * 3))
    images = torch.stack([pixels(p, 48, False, Image.BICUBIC, [0.5] * 3, [0.5] * 3) for p in PHOTOS])
    ids = torch.tensor([[5, 17, 99, 3, 1] + [1] * 11, [42] + [1] * 15, list(range(20, 36))])
    with torch.no_grad():
        out = model(input_ids=ids, pixel_values=images)
        hidden = model.vision_model(pixel_values=images, output_hidden_states=True).hidden_states
    save(folder, {"image_embeds": out.image_embeds, "text_embeds": out.text_embeds, "input_ids": ids.to(torch.int32),
                  "logits_per_image": out.logits_per_image, "vision.hidden2": hidden[2][0]})


def vit():
    folder = fresh("vit")
    labels = ["cat", "dog", "cup", "clock", "wall"]
    config = ViTConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2, image_size=48,
                       patch_size=16, id2label=dict(enumerate(labels)), label2id={l: i for i, l in enumerate(labels)})
    model = randomise(ViTForImageClassification(config), 3)
    model.save_pretrained(folder)
    write(folder, "preprocessor_config.json", dict(
        do_resize=True, size={"height": 48, "width": 48}, resample=2, do_rescale=True, rescale_factor=1 / 255,
        do_normalize=True, image_mean=[0.5] * 3, image_std=[0.5] * 3))
    images = torch.stack([pixels(p, 48, False, Image.BILINEAR, [0.5] * 3, [0.5] * 3) for p in PHOTOS])
    with torch.no_grad():
        out = model(pixel_values=images, output_hidden_states=True)
        features = model.vit(pixel_values=images).last_hidden_state[:, 0]
    save(folder, {"logits": out.logits, "features": features, "vision.hidden2": out.hidden_states[2][0]})


clip()
siglip()
vit()
