"""A browser without scripts: an agent reads, replies, changes and closes."""

from playwright.async_api import expect

from contract.browser import Visit
from support.service_process import ServiceProcess


async def test_an_agent_works_without_scripts(plain_visit: Visit, desk_service: ServiceProcess) -> None:
    page = plain_visit.page
    await page.goto(f"{desk_service.url}/")
    await expect(page).to_have_url(
        f"{desk_service.url}/desk/tickets?status=open&status=awaiting_reply&sort=-updated_at"
    )
    await page.get_by_role("link", name="New ticket").click()
    await page.get_by_label("Email address of the requester").fill("alice@example.com")
    await page.get_by_label("Subject").fill("Without scripts")
    await page.get_by_label("Text").fill("It smokes.")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Without scripts")
    await page.get_by_label("Your email address").fill("agent@example.com")
    await page.get_by_label("Text").fill("Have you tried water?")
    await page.get_by_role("button", name="Send and mark as answered").click()
    await expect(page.get_by_role("article").last).to_contain_text("Have you tried water?")
    await page.get_by_label("New tag").fill("fire")
    await page.locator(".side section", has_text="Tags").get_by_role("button", name="Add").click()
    await expect(page.get_by_role("link", name="fire")).to_be_visible()
    await page.get_by_role("button", name="Take").click()
    await page.get_by_role("link", name="Edit").click()
    await page.get_by_label("Priority").select_option("urgent")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_label("Internal note, for agents only").check()
    await page.get_by_label("Your email address").fill("agent@example.com")
    await page.get_by_label("Text").fill("A note at the end.")
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(page.locator(".message.note")).to_contain_text("A note at the end.")
    await page.get_by_role("button", name="Close", exact=True).click()
    await expect(page.get_by_role("heading", name="The ticket is closed")).to_be_visible()
    await page.get_by_role("link", name="Timeline").click()
    await expect(page.locator(".timeline > li")).to_have_count(7)


async def test_a_list_is_filtered_without_scripts(plain_visit: Visit, desk_service: ServiceProcess) -> None:
    page = plain_visit.page
    await page.goto(f"{desk_service.url}/desk/tickets")
    await page.get_by_role("link", name="Filter").click()
    await page.get_by_label("Closed", exact=True).check()
    await page.get_by_label("Tag", exact=True).fill("no-such-tag")
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_text("No tickets match.")).to_be_visible()
    await page.get_by_role("link", name="Tag: no-such-tag").click()
    await expect(page).to_have_url(f"{desk_service.url}/desk/tickets?sort=-id&status=closed")
