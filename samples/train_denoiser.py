"""Trains samples/denoiser.pth: a small NAFNet that removes noise of unknown strength.

    python samples/train_denoiser.py

It sees 64x64 crops. The noise level differs from crop to crop, so the network learns to read it off each crop
by the global averages in its channel attention. On a whole image whose noise varies from place to place,
those averages mix all levels: exactly what local statistics repair. `samples/compare.py` shows it.

About ten minutes on one core of its own. Same machine and versions, same weights: the seed is fixed.
"""

from __future__ import annotations

from pathlib import Path

import torch
from photographs import psnr, random_crops, training_photographs
from rich.progress import Progress
from spandrel.architectures.NAFNet import NAFNet

CHECKPOINT = Path(__file__).with_name("denoiser.pth")
CROP_SIZE = 64
BATCH_SIZE = 8
STEPS = 4000
LEARNING_RATE = 2e-3
STRONGEST_NOISE = 0.2  # standard deviation, on values in 0..1
STEPS_PER_REPORT = 100


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    photographs = training_photographs()
    network = NAFNet(img_channel=3, width=16, enc_blk_nums=[1], middle_blk_num=1, dec_blk_nums=[1])
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, weight_decay=0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)

    with Progress() as progress:
        task = progress.add_task("Training the denoiser", total=STEPS)
        for step in range(1, STEPS + 1):
            clean = random_crops(photographs, CROP_SIZE, BATCH_SIZE, generator)
            noisy = add_noise(clean, generator)
            denoised = network(noisy)
            loss = torch.nn.functional.l1_loss(denoised, clean)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            progress.advance(task)
            if step % STEPS_PER_REPORT == 0:
                before, after = psnr(noisy, clean), psnr(denoised.detach(), clean)
                progress.console.print(f"step {step}: PSNR of the batch {before:.2f} -> {after:.2f} dB")

    torch.save(network.state_dict(), CHECKPOINT)
    print(f"Wrote {CHECKPOINT} ({CHECKPOINT.stat().st_size / 1000:.0f} kB)")


def add_noise(clean: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Gaussian noise of one random strength per crop, 0 to STRONGEST_NOISE; [N, 3, H, W] in and out."""
    level = STRONGEST_NOISE * torch.rand(clean.shape[0], 1, 1, 1, generator=generator)
    return clean + level * torch.randn(clean.shape, generator=generator)


if __name__ == "__main__":
    main()
