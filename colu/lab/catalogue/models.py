"""The models of the catalogue as data: library, constructor, options, example input."""

from __future__ import annotations

import importlib
from contextlib import suppress
from dataclasses import dataclass, field

import torch
from torch import nn

__all__ = ["CATALOGUE", "LIBRARIES", "Entry", "import_libraries", "perturbed"]

LIBRARIES = ("torchvision", "timm", "transformers")

#: Standard deviation of the noise on each parameter, so that no gain or bias is a constant.
NOISE = 0.02


@dataclass(frozen=True)
class Entry:
    """One model.

    Parameters
    ----------
    name : str
        As the table shows it.
    library : {"torchvision", "timm", "transformers"}
    maker : str
        A function or class of ``torchvision.models``, a name of ``timm.create_model``, or a class of ``transformers``.
    options : dict
        Of the maker; of the configuration for transformers.
    pixels : int
        Length of the sides of the example's two pictures; zero where the model reads tokens.
    small : str
        How the model is smaller than the published one; empty where it is as published.

    Examples
    --------
    >>> Entry("alexnet", "torchvision", "alexnet").version.count(".") >= 1
    True
    """

    name: str
    library: str
    maker: str
    options: dict = field(default_factory=dict)
    pixels: int = 64
    small: str = ""

    @property
    def version(self) -> str:
        """That of the library, without what follows the plus sign."""
        return str(importlib.import_module(self.library).__version__).partition("+")[0]

    def make(self) -> nn.Module:
        """The model, with random weights from seed 0, in evaluation mode."""
        library = importlib.import_module(self.library)
        torch.manual_seed(0)
        if self.library == "torchvision":
            model = getattr(library.models, self.maker)(**self.options)
        elif self.library == "timm":
            model = library.create_model(self.maker, pretrained=False, **self.options)
        else:
            kind = getattr(library, self.maker)
            model = kind(kind.config_class(**self.options))
        return perturbed(model).eval()

    def example(self):
        """Two pictures, or two sequences of nine tokens, from seed 0."""
        generator = torch.Generator().manual_seed(0)
        if self.library == "transformers":
            if self.pixels:
                return {"pixel_values": torch.randn(2, 3, self.pixels, self.pixels, generator=generator)}
            tokens = torch.randint(3, VOCABULARY, (2, 9), generator=generator)
            config = importlib.import_module(self.library)
            found = {"input_ids": tokens}
            if getattr(config, self.maker).config_class().is_encoder_decoder:
                found["decoder_input_ids"] = tokens[:, :5]
            if "LM" in self.maker and "Masked" not in self.maker:
                found["use_cache"] = False
            return found
        return torch.randn(2, 3, self.pixels, self.pixels, generator=generator)


def import_libraries() -> None:
    """Import what is installed of the libraries; where one lacks, its models fail by name."""
    for library in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(library)


@torch.no_grad()
def perturbed(model: nn.Module, seed: int = 0) -> nn.Module:
    """The model itself, small noise added to each of its parameters.

    Examples
    --------
    >>> bool((perturbed(nn.LayerNorm(3)).weight != 1).all())
    True
    """
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter += NOISE * torch.randn(parameter.shape, generator=generator)
    return model


VOCABULARY = 99
_TOKENS = {"vocab_size": VOCABULARY, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
           "intermediate_size": 128}  # fmt: skip
_TEXT = "2 layers, width 64, 99 tokens"
_PICTURES = "2 layers, width 64"


def _vision(*names: str, **options) -> list[Entry]:
    return [Entry(name, "torchvision", name, options) for name in names]


def _timm(name: str, small: str = "", pixels: int = 64, **options) -> Entry:
    return Entry(name, "timm", name, options, pixels, small)


def _text(name: str, maker: str, small: str = _TEXT, **options) -> Entry:
    return Entry(name, "transformers", maker, options or _TOKENS, 0, small)


#: In the order of the table; names are those of the record.
CATALOGUE = (
    *_vision("resnet18", "resnext50_32x4d", "squeezenet1_1", "densenet121"),
    Entry("googlenet", "torchvision", "googlenet", {"aux_logits": False, "init_weights": False}),
    *_vision("mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "mnasnet0_5", "shufflenet_v2_x0_5"),
    *_vision("efficientnet_b0", "regnet_x_400mf", "regnet_y_400mf"),
    Entry("vit", "torchvision", "VisionTransformer",
          {"image_size": 64, "patch_size": 16, "num_layers": 2, "num_heads": 4, "hidden_dim": 64, "mlp_dim": 128},
          small=_PICTURES),
    Entry("swin", "torchvision", "SwinTransformer",
          {"patch_size": [4, 4], "embed_dim": 32, "depths": [2, 2], "num_heads": [2, 4], "window_size": [4, 4]},
          small="2 stages of 2 blocks, widths 32 and 64"),
    _timm("vit_tiny_patch16_224", _PICTURES, img_size=64, embed_dim=64, depth=2, num_heads=4),
    _timm("deit3_small_patch16_224", _PICTURES, img_size=64, embed_dim=64, depth=2, num_heads=4),
    _timm("beit_base_patch16_224", _PICTURES, img_size=64, embed_dim=64, depth=2, num_heads=4),
    _timm("cait_xxs24_224", _PICTURES, img_size=64, embed_dim=64, depth=2, num_heads=4),
    _timm("swinv2_tiny_window8_256", "2 stages of 2 blocks, widths 32 and 64", img_size=64, window_size=4, embed_dim=32,
          depths=(2, 2), num_heads=(2, 4)),
    _timm("mixer_s32_224", img_size=64),
    _timm("resmlp_12_224", img_size=64),
    _timm("poolformer_s12"),
    _timm("convnext_atto"),
    _timm("convnextv2_atto"),
    _timm("mobilenetv4_conv_small"),
    _timm("efficientnet_lite0"),
    _timm("seresnet18"),
    _timm("ghostnet_100"),
    _text("gpt2", "GPT2LMHeadModel", vocab_size=VOCABULARY, n_positions=32, n_embd=64, n_layer=2, n_head=4),
    _text("bert", "BertForMaskedLM"),
    _text("roberta", "RobertaForMaskedLM", **_TOKENS, pad_token_id=1),
    _text("distilbert", "DistilBertForMaskedLM", vocab_size=VOCABULARY, dim=64, n_layers=2, n_heads=4, hidden_dim=128),
    _text("electra", "ElectraForMaskedLM", **_TOKENS, embedding_size=64),
    _text("llama", "LlamaForCausalLM", _TEXT + ", 2 query heads a key", **_TOKENS, num_key_value_heads=2),
    _text("mistral", "MistralForCausalLM", _TEXT + ", 2 query heads a key", **_TOKENS, num_key_value_heads=2),
    _text("qwen2", "Qwen2ForCausalLM", _TEXT + ", 2 query heads a key", **_TOKENS, num_key_value_heads=2),
    _text("gemma", "GemmaForCausalLM", _TEXT + ", 2 query heads a key", **_TOKENS, num_key_value_heads=2, head_dim=16),
    _text("opt", "OPTForCausalLM", vocab_size=VOCABULARY, hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
          ffn_dim=128, word_embed_proj_dim=64),
    _text("gpt_neox", "GPTNeoXForCausalLM"),
    _text("bloom", "BloomForCausalLM", vocab_size=VOCABULARY, hidden_size=64, n_layer=2, n_head=4),
    _text("t5", "T5ForConditionalGeneration", vocab_size=VOCABULARY, d_model=64, d_kv=16, d_ff=128, num_layers=2,
          num_heads=4),
    Entry("vit (transformers)", "transformers", "ViTForImageClassification",
          {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128,
           "image_size": 64}, small=_PICTURES),
)  # fmt: skip
