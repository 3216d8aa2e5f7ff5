from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = (
        migrations.CreateModel(
            name="Note",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("author", models.CharField(db_index=True, max_length=100)),
                ("text", models.TextField()),
            ],
        ),
    )
