"""A story of a picture, told to a client that openapi-python-client has made: tell.py SERVER PICTURE."""

import pathlib
import sys

from made import Client
from made.api.stories import stories_one, stories_submit
from made.models import Problem, Story, StoryForm
from made.types import File

server, picture = sys.argv[1], pathlib.Path(sys.argv[2])
with Client(base_url=server, raise_on_unexpected_status=True) as client:
    with picture.open("rb") as sent:
        form = StoryForm(image=File(payload=sent, file_name=picture.name), style="sea")
        job = stories_submit.sync(client=client, body=form)
    assert isinstance(job, Story), job
    told = stories_one.sync(client=client, id=job.id, wait=60)
    assert isinstance(told, Story) and told.result, told
    assert told.request.style == "sea", told
    wrong = stories_submit.sync(client=client, body=StoryForm(image=File(payload=b"none"), style="sea"))
    assert isinstance(wrong, Problem) and wrong.type_ == "/problems/image_unreadable", wrong
    print(told.result.story)
