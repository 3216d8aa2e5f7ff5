"""Drawing, filters, several file formats, text."""

import io

from PIL import Image, ImageDraw, ImageFilter, ImageFont

image = Image.new("RGB", (120, 80), "navy")
draw = ImageDraw.Draw(image)
draw.ellipse((20, 10, 100, 70), fill="gold")
draw.text((30, 30), "unikernel", fill="black", font=ImageFont.load_default())
for format in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"):
    file = io.BytesIO()
    image.save(file, format)
    file.seek(0)
    with Image.open(file) as again:
        assert again.format == format and again.convert("RGB").size == (120, 80)
small = image.resize((30, 20), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(1)).convert("L")
assert small.getpixel((0, 0)) < small.getpixel((15, 15))
