"""A Stable Diffusion pipeline of the real classes, randomly initialised and tiny, assembled from
configurations.
"""

import json

import torch


def tokenizer(folder):
    """CLIP's tokenizer with a vocabulary of single letters."""
    from transformers import CLIPTokenizer

    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + list("-,.")
    tokens = [
        *letters,
        *(letter + "</w>" for letter in letters),
        "<|startoftext|>",
        "<|endoftext|>",
    ]
    (folder / "vocab.json").write_text(
        json.dumps({token: number for number, token in enumerate(tokens)})
    )
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77
    ), len(tokens)


def pipeline(folder, checker=None):
    """The pipeline; `checker` takes the safety checker's place ("real": diffusers' own, tiny)."""
    from diffusers import (
        AutoencoderKL,
        PNDMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPImageProcessor, CLIPTextConfig, CLIPTextModel

    words, size = tokenizer(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=size,
                hidden_size=16,
                intermediate_size=16,
                num_hidden_layers=1,
                num_attention_heads=2,
                bos_token_id=size - 2,
                eos_token_id=size - 1,
                pad_token_id=size - 1,
            )
        )
        unet = UNet2DConditionModel(
            sample_size=8,
            in_channels=4,
            out_channels=4,
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=16,
            attention_head_dim=2,
        )
        autoencoder = AutoencoderKL(
            block_out_channels=(8, 8, 8, 8),
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            latent_channels=4,
            norm_num_groups=4,
        )
        checker = _safety_checker() if checker == "real" else checker
    processor = CLIPImageProcessor(
        size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}
    )
    made = StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=text,
        tokenizer=words,
        unet=unet,
        safety_checker=None,
        feature_extractor=processor,
        scheduler=PNDMScheduler(
            skip_prk_steps=True,
            steps_offset=1,
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
        ),
        requires_safety_checker=False,
    )
    made.safety_checker = checker
    made.set_progress_bar_config(disable=True)
    return made


def _safety_checker():
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig

    small = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    }
    return StableDiffusionSafetyChecker(
        CLIPConfig(
            text_config=small,
            vision_config=small | {"image_size": 16, "patch_size": 8},
            projection_dim=16,
        )
    )
